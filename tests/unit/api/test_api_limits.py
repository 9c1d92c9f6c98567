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


def test_no_limits() -> None:
    """Limits of 0 are none."""
    limits = Limits(measures=Measures(), requests_per_minute=0, failures_per_minute=0)
    for _ in range(500):
        limits.count_request(ALICE)
        limits.count_failure("192.0.2.1")
    limits.check_failures("192.0.2.1")
