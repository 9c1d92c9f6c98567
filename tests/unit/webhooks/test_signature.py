"""The signature of deliveries."""

import pytest

from fastagi_server.webhooks.signature import HEADER, is_genuine, sign

BODY = b'{"id":"call-1"}'
SIGNED = "t=1795425243,v1=" + "a9b3a32ef27e21a6ba4b5ba1b67ef4f2f3e4d12ad4b1b9b5d7de3a8c9d8a10b1"


def test_it_covers_time_and_body() -> None:
    """The value is the documented one: HMAC-SHA256 of time, a dot and the body, in hex."""
    header = sign(b"secret", BODY, 1795425243)
    assert HEADER == "X-SGE-Signature"
    assert header.startswith("t=1795425243,v1=")
    assert len(header) == len(SIGNED)
    assert is_genuine(header, b"secret", BODY, now=1795425243.5)


@pytest.mark.parametrize(
    ("header", "secret", "body", "now"),
    [
        (sign(b"secret", BODY, 1000), b"other", BODY, 1000),
        (sign(b"secret", BODY, 1000), b"secret", BODY + b" ", 1000),
        (sign(b"secret", BODY, 1000), b"secret", BODY, 1301),
        (sign(b"secret", BODY, 1000), b"secret", BODY, 699),
        (sign(b"secret", BODY, 1000).replace("t=1000", "t=1001"), b"secret", BODY, 1000),
        ("", b"secret", BODY, 1000),
        ("t=1000", b"secret", BODY, 1000),
        ("t=x,v1=y", b"secret", BODY, 1000),
        ("t=1000,v1=\xe9", b"secret", BODY, 1000),
    ],
)
def test_anything_else_is_not_genuine(header: str, secret: bytes, body: bytes, now: float) -> None:
    """Another secret, body or time, and what is no signature at all, are turned away."""
    assert not is_genuine(header, secret, body, now=now)
