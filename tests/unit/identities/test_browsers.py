"""How the browsers of users are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint, seat_of, user_at
from fastagi_server.identities.extensions import ExtensionTable

GATEWAY = BrowserEndpoint("sge-gateway")

user_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@:+|-]{0,60}", fullmatch=True)


def test_a_plain_user() -> None:
    """Most user ids are their own seat."""
    assert GATEWAY.dial_string("alice") == "PJSIP/alice@sge-gateway"
    assert GATEWAY.user_of("PJSIP/alice@sge-gateway") == "alice"
    assert GATEWAY.user_of("SIP/alice@sge-gateway") == "alice"


def test_a_user_with_other_characters() -> None:
    """What a SIP URI would read otherwise is written in hexadecimal."""
    assert GATEWAY.dial_string("a@b.org|1") == "PJSIP/a~40b.org~7c1@sge-gateway"
    assert GATEWAY.user_of("PJSIP/a~40b.org~7c1@sge-gateway") == "a@b.org|1"


def test_a_user_as_a_client_writes_him() -> None:
    """A client need not know of seats."""
    assert GATEWAY.user_of("PJSIP/alice@example.org@sge-gateway") == "alice@example.org"


@given(user_ids)
def test_every_user_has_a_seat_of_his_own(user: str) -> None:
    """From the seat the user is found again, and a seat has nothing but plain characters."""
    assert user_at(seat_of(user)) == user
    assert not set(seat_of(user)) & set("@:|/ \r\n")


@pytest.mark.parametrize(
    "dial_string",
    [
        "PJSIP/1001",
        "PJSIP/alice@trunk",
        "IAX2/alice@sge-gateway",
        "PJSIP/@sge-gateway",
        "PJSIP/~0d~0a@sge-gateway",
        "PJSIP/~zz@sge-gateway",
        "alice",
    ],
)
def test_what_is_no_browser(dial_string: str) -> None:
    """Other telephones, other technologies, and seats that no user has."""
    assert GATEWAY.user_of(dial_string) is None


def test_no_gateway() -> None:
    """Where there is none, nothing is a browser."""
    assert NO_BROWSERS.user_of("PJSIP/alice@") is None
    assert not NO_BROWSERS.has_channel("PJSIP/-00000001")


def test_channels() -> None:
    """A channel is known by its endpoint, not by what only begins like it."""
    assert GATEWAY.has_channel("PJSIP/sge-gateway-0000001a")
    assert not GATEWAY.has_channel("PJSIP/sge-gateway-2-0000001a")
    assert not GATEWAY.has_channel("PJSIP/1001-0000001a")


def test_the_user_of_a_browser_is_a_party() -> None:
    """The directory knows whose browsers a participant rings."""
    table = ExtensionTable({"1003": "bob"}, GATEWAY)
    assert table.identities_of("PJSIP/alice@sge-gateway") == {"alice"}
    assert table.identities_of("SIP/1003") == {"bob"}
    assert table.identities_of("PJSIP/alice@trunk") == set()
