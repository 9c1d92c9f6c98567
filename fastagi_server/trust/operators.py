"""Operators who prove themselves with a password."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.identities.passwords import (
    NOBODY,
    PasswordHash,
    is_password,
    read_accounts,
)
from fastagi_server.identities.proofs import AccountsBusyError
from fastagi_server.trust.files import WatchedFile

REMEMBERED_SECONDS = 60.0
"""How long a password that was right is not hashed again, while the file stays as it is."""

MAX_REMEMBERED = 256
MAX_CHECKS = 8
"""Passwords in check at once, two of them at work: each takes memory and a processor."""

CHECK_SECONDS = 5.0
"""How long a check may take, waiting included."""


class Operators:
    """The accounts of a file. Raises TrustError when it cannot be used."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts: WatchedFile[Mapping[str, PasswordHash]] = WatchedFile(
            path, read_accounts, clock=clock
        )
        self._clock = clock
        self._known = self._accounts.value()
        self._remembered: dict[bytes, tuple[float, Identity]] = {}
        self._at_work = asyncio.Semaphore(2)
        self._checks = 0

    def remembered(self, name: bytes, password: bytes) -> Identity | None:
        """The operator, if this password was found right a short time ago."""
        accounts = self._accounts.value()
        if accounts is not self._known:
            self._known = accounts
            self._remembered.clear()
        until, identity = self._remembered.get(_digest(name, password), (0.0, None))
        return identity if self._clock() < until else None

    async def check(self, name: bytes, password: bytes) -> Identity | None:
        """The operator of this name and password, or None. Raises AccountsBusyError."""
        accounts = self._accounts.value()
        account = accounts.get(name.decode("ascii", "replace"), NOBODY)
        if not is_password(password):
            return None
        if self._checks >= MAX_CHECKS:
            raise AccountsBusyError
        self._checks += 1
        try:
            async with asyncio.timeout(CHECK_SECONDS), self._at_work:
                right = await asyncio.to_thread(account.matches, password)
        except TimeoutError:
            raise AccountsBusyError from None
        finally:
            self._checks -= 1
        if not right:
            return None
        identity = Identity(name.decode("ascii"), frozenset({Scope.OPERATOR}), "password")
        if accounts is self._known:  # else the file has changed while the password was checked
            self._remember(_digest(name, password), identity)
        return identity

    def _remember(self, digest: bytes, identity: Identity) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = (self._clock() + REMEMBERED_SECONDS, identity)


def _digest(name: bytes, password: bytes) -> bytes:
    # A colon cannot be in the name: this is the form in which both are sent.
    return hashlib.sha256(name + b":" + password).digest()
