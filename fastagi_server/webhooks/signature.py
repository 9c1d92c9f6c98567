"""The signature of a delivery: HMAC-SHA256 over its time and its body.

    X-SGE-Signature: t=1795425243,v1=5257a869e7ec...d8bd

The time is part of what is signed, so that a delivery that somebody has recorded is worth nothing
after a while. `v1` names the scheme: another one may stand beside it some day.
"""

import hashlib
import hmac

HEADER = "X-SGE-Signature"


def sign(secret: bytes, body: bytes, at: int) -> str:
    """The header's value for a delivery sent at so many seconds since 1970."""
    return f"t={at},v1={_digest(secret, body, str(at))}"


def is_genuine(
    header: str, secret: bytes, body: bytes, *, now: float, tolerance: float = 300.0
) -> bool:
    """Whether whoever sent this knows the secret, and sent it within `tolerance` seconds."""
    parts = (part.partition("=") for part in header.split(","))
    fields = {name: value for name, _, value in parts}
    at, signature = fields.get("t", ""), fields.get("v1", "")
    if not (at.isascii() and at.isdigit()) or abs(now - int(at[:18])) > tolerance:
        return False
    return hmac.compare_digest(signature.encode(), _digest(secret, body, at).encode())


def _digest(secret: bytes, body: bytes, at: str) -> str:
    return hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
