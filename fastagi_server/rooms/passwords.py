"""Passwords of rooms: only a salted, slow hash is ever kept.

scrypt with 16 MiB takes some 40 ms, so it belongs into a thread; at most two run at once, which
bounds the memory that a flood of guesses can take.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets

_COST = 2**14
_BLOCK = 8
_SALT_BYTES = 16
_SCHEME = "scrypt"


def hash_password(password: str) -> str:
    """A new hash of a password, as text: scheme, salt and digest."""
    salt = secrets.token_bytes(_SALT_BYTES)
    parts = (
        _SCHEME,
        *(base64.b64encode(part).decode() for part in (salt, _digest(password, salt))),
    )
    return "$".join(parts)


def matches(password: str, stored: str) -> bool:
    """Whether this is the password that was hashed; never for a hash of another scheme."""
    scheme, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != _SCHEME:
        return False
    expected = base64.b64decode(digest)
    return hmac.compare_digest(_digest(password, base64.b64decode(salt)), expected)


class Hasher:
    """Hashes and compares in threads, two at a time."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(2)

    async def hash(self, password: str) -> str:
        """The same as `hash_password`."""
        async with self._places:
            return await asyncio.to_thread(hash_password, password)

    async def matches(self, password: str, stored: str) -> bool:
        """The same as the function `matches`."""
        async with self._places:
            return await asyncio.to_thread(matches, password, stored)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=1)
