"""The base URL of the API as people write it."""

import pytest

from fastagi_server.sge.address import normalise_base_url
from fastagi_server.sge.errors import AddressError


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("http://localhost:8080/api/v1/voip", "http://localhost:8080/api/v1/voip"),
        ("http://localhost:8080/api/v1/voip/", "http://localhost:8080/api/v1/voip"),
        ("http://localhost:8080/api/v1", "http://localhost:8080/api/v1/voip"),
        ("http://localhost:8080/api/v1/", "http://localhost:8080/api/v1/voip"),
        ("http://localhost:8080", "http://localhost:8080/api/v1/voip"),
        ("http://localhost:8080/", "http://localhost:8080/api/v1/voip"),
        ("  https://api.example.org/sge/api/v1 ", "https://api.example.org/sge/api/v1/voip"),
        ("http://[::1]:8080/api/v1", "http://[::1]:8080/api/v1/voip"),
    ],
)
def test_documented_forms_mean_the_same(written: str, used: str) -> None:
    """With or without `/voip`, with or without a slash at the end."""
    assert str(normalise_base_url(written)) == used


@pytest.mark.parametrize(
    "written",
    [
        "",
        "localhost:8080",
        "/api/v1/voip",
        "ftp://localhost/api/v1",
        "http://",
        "http://user:secret@localhost/api/v1",
        "http://localhost/api/v1?x=1",
        "http://localhost/api/v1#x",
        "http://localhost:port/api/v1",
        "http://local\nhost/api/v1",
    ],
)
def test_everything_else_is_refused(written: str) -> None:
    """What cannot be used is an error when the program starts, without quoting secrets."""
    with pytest.raises(AddressError) as raised:
        normalise_base_url(written)
    assert "secret" not in str(raised.value)
