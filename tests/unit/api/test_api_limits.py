"""How often somebody may ask, and how often an address may be wrong."""

import pytest

from fastagi_server.api.errors import ApiError
from fastagi_server.api.limits import Limits
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.telemetry.measures import Measures

ALICE = Identity("alice", frozenset({Scope.CALLS}))


class _Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_published_default() -> None:
    """A user may ask a hundred times a minute, and is then told when he may again."""
    measures, clock = Measures(), _Clock()
    limits = Limits(measures=measures, clock=clock)
    for _ in range(100):
        limits.count_request(ALICE)
    clock.seconds = 18.5
    with pytest.raises(ApiError, match="too many requests of this user") as refusal:
        limits.count_request(ALICE)
    assert (refusal.value.status_code, refusal.value.code) == (429, "rate_limited")
    assert refusal.value.headers == {"Retry-After": "42"}
    assert measures.http_limited.values == {("requests",): 1}


@pytest.mark.parametrize("scope", [Scope.SERVICE, Scope.OPERATOR])
def test_trusted_identities_have_no_limit(scope: Scope) -> None:
    """The telephone system and its operators are never told to wait."""
    limits = Limits(measures=Measures(), requests_per_minute=1)
    for _ in range(50):
        limits.count_request(Identity("pbx", frozenset({scope})))


def test_failures() -> None:
    """Wrong credentials are counted by address, the addresses of one subscriber together."""
    measures, clock = Measures(), _Clock()
    limits = Limits(measures=measures, failures_per_minute=1, clock=clock)
    limits.check_failures("2001:db8::1")
    limits.count_failure("2001:db8::1")
    with pytest.raises(ApiError, match="too many wrong credentials"):
        limits.count_failure("2001:db8::2")
    with pytest.raises(ApiError, match="too many wrong credentials") as refusal:
        limits.count_failure("2001:db8::2")
    assert refusal.value.headers == {"Retry-After": "60"}
    with pytest.raises(ApiError):
        limits.check_failures("2001:db8::3")
    limits.check_failures("2001:db8:0:1::1")
    assert measures.http_limited.values == {("failures",): 3}


def test_failures_of_an_account() -> None:
    """Wrong passwords for one account are counted together, wherever they come from."""
    measures, clock = Measures(), _Clock()
    limits = Limits(measures=measures, account_failures_per_minute=2, clock=clock)
    for number in range(2):
        limits.check_account(b"olga", f"192.0.2.{number}")
        limits.count_account_failure(b"olga")
    clock.seconds = 20.0
    with pytest.raises(ApiError, match="too many wrong passwords") as refusal:
        limits.check_account(b"olga", "192.0.2.77")
    assert (refusal.value.status_code, refusal.value.code) == (429, "rate_limited")
    assert refusal.value.headers == {"Retry-After": "40"}
    limits.check_account(b"otto", "192.0.2.77")
    clock.seconds = 60.0
    limits.check_account(b"olga", "192.0.2.77")
    assert measures.http_limited.values == {("account_failures",): 1}


def test_an_address_that_had_the_password_is_not_kept_out() -> None:
    """Whoever guesses from elsewhere does not lock the operator out of his own address."""
    limits = Limits(measures=Measures(), account_failures_per_minute=1)
    limits.note_account(b"olga", "2001:db8::1")
    limits.count_account_failure(b"olga")
    limits.check_account(b"olga", "2001:db8::2")
    with pytest.raises(ApiError):
        limits.check_account(b"olga", "2001:db8:0:1::1")
    limits.count_account_failure(b"otto")
    with pytest.raises(ApiError):
        limits.check_account(b"otto", "2001:db8::1")


def test_proven_addresses_are_forgotten_one_by_one() -> None:
    """The address that the right password came from last is remembered for longest."""
    limits = Limits(measures=Measures(), account_failures_per_minute=1)
    limits.count_account_failure(b"olga")
    for number in range(1000):
        limits.note_account(b"olga", f"10.0.{number // 250}.{number % 250}")
    limits.note_account(b"olga", "10.0.0.0")
    limits.note_account(b"olga", "192.0.2.1")
    for address in ("10.0.0.0", "192.0.2.1", "10.0.0.2"):
        limits.check_account(b"olga", address)
    with pytest.raises(ApiError):
        limits.check_account(b"olga", "10.0.0.1")


def test_no_limits() -> None:
    """Limits of 0 are none."""
    limits = Limits(
        measures=Measures(),
        requests_per_minute=0,
        failures_per_minute=0,
        account_failures_per_minute=0,
    )
    for _ in range(500):
        limits.count_request(ALICE)
        limits.count_failure("192.0.2.1")
        limits.count_account_failure(b"olga")
    limits.check_failures("192.0.2.1")
    limits.check_account(b"olga", "192.0.2.1")
