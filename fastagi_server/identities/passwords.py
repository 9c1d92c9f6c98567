"""Accounts of operators: names, and passwords as scrypt hashes.

A line of the file is `name:scrypt$14$8$1$<salt>$<hash>` with the exponent of the cost, the block
size and the parallelism (RFC 7914), salt and hash in base64. Empty lines and lines that begin with
`#` count for nothing. To check one password takes some 16 MiB and 50 ms, which is the point of it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from fastagi_server.identities.identity import is_name

COST, BLOCK_SIZE, PARALLELISM = 14, 8, 1
MAX_COST = 17
"""128 MiB for one password: what a file may ask of the server at most."""

MAX_BLOCK_SIZE = 8
MAX_PARALLELISM = 4
SALT_BYTES = 16
HASH_BYTES = 32
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_BYTES = 1024


class AccountError(ValueError):
    """A line or a password cannot be used; the text never repeats it."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is kept of a password."""

    cost: int
    block_size: int
    parallelism: int
    salt: bytes
    digest: bytes

    def matches(self, password: bytes) -> bool:
        """Whether this is the password. Takes as long for a wrong one."""
        return hmac.compare_digest(
            self.digest,
            _scrypt(password, self.salt, self.cost, self.block_size, self.parallelism),
        )


NOBODY = PasswordHash(COST, BLOCK_SIZE, PARALLELISM, bytes(SALT_BYTES), bytes(HASH_BYTES))
"""Compared with where there is no such account, so that both take as long; matches nothing."""


def make_line(name: str, password: str) -> str:
    """The line of an account. Raises AccountError for a name or a password that will not do."""
    if not is_name(name) or ":" in name:
        raise AccountError("the name must be plain characters without a colon")
    secret = password.encode()
    if len(password) < MIN_PASSWORD_LENGTH or not is_password(secret):
        raise AccountError(
            f"the password must have {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_BYTES} characters,"
            " none of them NUL"
        )
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _scrypt(secret, salt, COST, BLOCK_SIZE, PARALLELISM)
    texts = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{name}:scrypt${COST}${BLOCK_SIZE}${PARALLELISM}${'$'.join(texts)}"


def is_password(password: bytes) -> bool:
    """Whether this could be a password; the hash takes zeros at the end for nothing."""
    return len(password) <= MAX_PASSWORD_BYTES and b"\x00" not in password


def read_accounts(content: bytes) -> Mapping[str, PasswordHash]:
    """The accounts of a file, by name. Raises AccountError, which names the line."""
    accounts: dict[str, PasswordHash] = {}
    for number, raw in enumerate(content.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        try:
            name, _, text = line.decode("ascii").partition(":")
            if not is_name(name) or name in accounts:
                raise AccountError
            accounts[name] = _read_hash(text)
        except ValueError:
            raise AccountError(
                f"line {number} is no account: make one with `fastagi-server operators hash`"
            ) from None
    return accounts


def _read_hash(text: str) -> PasswordHash:
    method, cost, block_size, parallelism, salt, digest = text.split("$")
    parsed = PasswordHash(
        int(cost), int(block_size), int(parallelism), _bytes(salt), _bytes(digest)
    )
    if (
        method != "scrypt"
        or not 1 <= parsed.cost <= MAX_COST
        or not 1 <= parsed.block_size <= MAX_BLOCK_SIZE
        or not 1 <= parsed.parallelism <= MAX_PARALLELISM
        or len(parsed.salt) < SALT_BYTES
        or len(parsed.digest) != HASH_BYTES
    ):
        raise AccountError
    return parsed


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise AccountError from None


def _scrypt(password: bytes, salt: bytes, cost: int, block_size: int, parallelism: int) -> bytes:
    n = 1 << cost
    return hashlib.scrypt(
        password,
        salt=salt,
        n=n,
        r=block_size,
        p=parallelism,
        maxmem=128 * block_size * (n + parallelism + 2) + 1024,
        dklen=HASH_BYTES,
    )
