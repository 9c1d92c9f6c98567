"""How many requests somebody may make in a minute."""

import pytest

from fastagi_server.identities import rates
from fastagi_server.identities.rates import RateLimiter, origin_of


class _Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_the_hundred_and_first_waits() -> None:
    """After as many requests as are allowed, the next one waits for the end of the minute."""
    clock = _Clock()
    limiter = RateLimiter(100, clock=clock)
    assert [limiter.take("alice") for _ in range(100)] == [0.0] * 100
    clock.seconds += 20.0
    assert limiter.take("alice") == 40.0
    assert limiter.wait("alice") == 40.0
    clock.seconds += 40.0
    assert limiter.wait("alice") == 0.0
    assert limiter.take("alice") == 0.0


def test_each_has_his_own() -> None:
    """One user's requests cost another nothing."""
    limiter = RateLimiter(1, clock=_Clock())
    assert limiter.take("alice") == 0.0
    assert limiter.take("bob") == 0.0
    assert limiter.take("alice") == 60.0


def test_refused_requests_do_not_count() -> None:
    """Whoever keeps trying is let in as soon as the minute is over."""
    clock = _Clock()
    limiter = RateLimiter(1, clock=clock)
    waits: list[float] = []
    for _ in range(4):
        waits.append(limiter.take("alice"))
        clock.seconds += 20.0
    assert waits == [0.0, 40.0, 20.0, 0.0]


def test_waiting_counts_nothing() -> None:
    """To ask how long to wait is no request."""
    limiter = RateLimiter(1, clock=_Clock())
    assert [limiter.wait("alice") for _ in range(3)] == [0.0] * 3
    assert limiter.take("alice") == 0.0


def test_no_limit() -> None:
    """A limit of 0 allows any number and remembers nobody."""
    limiter = RateLimiter(0, clock=_Clock())
    assert {limiter.take("alice") for _ in range(1000)} == {0.0}
    assert limiter.wait("alice") == 0.0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was not heard of for longest is forgotten first."""
    monkeypatch.setattr(rates, "MAX_KNOWN", 2)
    limiter = RateLimiter(1, clock=_Clock())
    assert [limiter.take(name) for name in ("a", "b")] == [0.0, 0.0]
    assert limiter.take("a") == 60.0
    assert limiter.take("c") == 0.0
    assert limiter.take("a") == 60.0
    assert limiter.take("b") == 0.0


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_origin(address: str, origin: str) -> None:
    """All addresses that one subscriber surely has count as one."""
    assert origin_of(address) == origin
