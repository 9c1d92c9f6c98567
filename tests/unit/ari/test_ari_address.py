"""The address of ARI as people write it."""

import httpx
import pytest

from fastagi_server.ari.address import events_url, normalise_ari_url
from fastagi_server.ari.errors import AriAddressError


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("http://localhost:8088", "http://localhost:8088/ari"),
        ("http://localhost:8088/", "http://localhost:8088/ari"),
        ("http://localhost:8088/ari", "http://localhost:8088/ari"),
        ("http://localhost:8088/ari/", "http://localhost:8088/ari"),
        ("https://pbx.example:8089/ari", "https://pbx.example:8089/ari"),
        ("https://pbx.example/asterisk", "https://pbx.example/asterisk/ari"),
        (" http://[::1]:8088 ", "http://[::1]:8088/ari"),
    ],
)
def test_an_address_ends_in_ari(written: str, used: str) -> None:
    """With or without the ending: both are documented."""
    assert str(normalise_ari_url(written)) == used


@pytest.mark.parametrize(
    "written",
    [
        "",
        "localhost:8088",
        "ws://localhost:8088/ari",
        "http://",
        "http://user:secret@localhost:8088/ari",
        "http://localhost:8088/ari?app=x",
        "http://localhost:8088/ari#x",
        "http://localhost:port/",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    """At the start of the program, in words, and without the secrets in it."""
    with pytest.raises(AriAddressError) as caught:
        normalise_ari_url(written)
    assert "secret" not in str(caught.value)


def test_the_event_socket_is_beside_it() -> None:
    """One socket for several applications."""
    base = httpx.URL("http://localhost:8088/ari")
    url = events_url(base, ("sky-genesis-voip", "sky-genesis-outbound"), subscribe_all=False)
    assert url == "ws://localhost:8088/ari/events?app=sky-genesis-voip%2Csky-genesis-outbound"


def test_an_encrypted_address_has_an_encrypted_socket() -> None:
    """And every event there is, where that is wanted."""
    base = httpx.URL("https://pbx.example/ari")
    url = events_url(base, ("a",), subscribe_all=True)
    assert url == "wss://pbx.example/ari/events?app=a&subscribeAll=true"
