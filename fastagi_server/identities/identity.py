"""Who is asking, and what that allows.

Scopes are few on purpose: a user makes and joins calls of his own; a trusted identity acts for
the telephone system (`service`) or runs it (`operator`) and may act on every call. Only a trusted
identity may adopt a channel, because a channel's unique id is no secret and whoever adopts a
channel controls it.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a credential may be used for; the values are written into stored keys."""

    CALLS = "voip.call"
    SERVICE = "service"
    OPERATOR = "operator"


TRUSTED = frozenset({Scope.SERVICE, Scope.OPERATOR})

RESERVED_NAMES = frozenset({"service", "asterisk", "sge"})
"""Names the system acts under itself; a user of such a name would own the system's calls."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+|-]{0,255}")


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller of the API: a user id or the name of a key, and its scopes.

    `credential` says what proved it (`api_key`, `token`, `password`, `certificate`) and is for the
    audit alone: identities are the same whichever way they came. `expires_at` is when the
    credential ends (seconds since 1970), None for one that does not by itself.
    """

    name: str
    scopes: frozenset[Scope]
    credential: str = field(default="api_key", compare=False)
    expires_at: float | None = field(default=None, compare=False)

    @property
    def is_trusted(self) -> bool:
        """Whether this identity may see and change every call."""
        return not TRUSTED.isdisjoint(self.scopes)

    @property
    def is_operator(self) -> bool:
        """Whether this identity may look into the PBX and the audit."""
        return Scope.OPERATOR in self.scopes

    @property
    def may_call(self) -> bool:
        """Whether this identity may use calls at all."""
        return Scope.CALLS in self.scopes or self.is_trusted


class KeyRing(Protocol):
    """Where API keys are looked up."""

    async def find(self, digest: bytes) -> Identity | None:
        """The owner of the key with this SHA-256 digest, or None when unknown or revoked."""
        ...


def is_name(text: str) -> bool:
    """Whether this may be an identity's name: 1 to 256 plain characters, as a user id has."""
    return _NAME.fullmatch(text) is not None


def is_user_name(text: str) -> bool:
    """Whether this may name somebody without trust: a name that the system does not use itself."""
    return is_name(text) and text.lower() not in RESERVED_NAMES
