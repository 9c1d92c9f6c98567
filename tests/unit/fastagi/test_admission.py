"""Admission: who may listen, who may connect."""

import ipaddress

import pytest

from fastagi_server.fastagi.admission import Admission, Network, UnprotectedBindError


def networks(*texts: str) -> tuple[Network, ...]:
    """Networks of their texts."""
    return tuple(ipaddress.ip_network(text) for text in texts)


@pytest.mark.parametrize(
    ("peer", "refusal"),
    [
        ("10.1.2.3", ""),
        ("10.2.0.0", "address_not_allowed"),
        ("192.0.2.7", ""),
        ("192.0.2.8", "address_not_allowed"),
        ("2001:db8::1", ""),
        ("2001:db9::1", "address_not_allowed"),
        ("::ffff:10.1.2.3", ""),
        ("::ffff:10.9.2.3", "address_not_allowed"),
        ("fe80::1%eth0", ""),
        ("", "address_not_allowed"),
        ("pbx", "address_not_allowed"),
        ("10.1.2.3.4", "address_not_allowed"),
    ],
)
def test_allow_list(peer: str, refusal: str) -> None:
    """Networks of both families, mapped addresses and scopes; what is no address is a stranger."""
    allow = networks("10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32", "fe80::/10")
    assert Admission(allow=allow).refusal(peer, 1) == refusal


def test_no_allow_list() -> None:
    """Without a list every address is welcome, even an unknown one."""
    assert Admission().refusal("", 1) == ""


@pytest.mark.parametrize(("open_sessions", "refusal"), [(1, ""), (2, ""), (3, "overloaded")])
def test_limit(open_sessions: int, refusal: str) -> None:
    """As many sessions as the limit says, the new one included."""
    assert Admission(max_sessions=2).refusal("127.0.0.1", open_sessions) == refusal


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_guard(host: str) -> None:
    """Nobody from outside reaches loopback."""
    Admission().check_bind(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "localhost.example", "::2"])
def test_everything_else_does(host: str) -> None:
    """An open door is refused, with what to set."""
    with pytest.raises(UnprotectedBindError, match=r"FASTAGI_ALLOW.*FASTAGI_SECRET"):
        Admission().check_bind(host)


@pytest.mark.parametrize(
    "admission",
    [Admission(allow=networks("10.0.0.0/8")), Admission(secret="s"), Admission(unprotected=True)],
)
def test_guards(admission: Admission) -> None:
    """Each of the three guards opens the door."""
    admission.check_bind("0.0.0.0")
