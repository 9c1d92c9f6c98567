"""Who is asking, and what that allows.

Scopes are few on purpose: a user makes and joins calls of his own; a trusted identity acts for
the telephone system (`service`) or runs it (`operator`) and may act on every call. Only a trusted
identity may adopt a channel, because a channel's unique id is no secret and whoever adopts a
channel controls it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a credential may be used for; the values are written into stored keys."""

    CALLS = "voip.call"
    SERVICE = "service"
    OPERATOR = "operator"


TRUSTED = frozenset({Scope.SERVICE, Scope.OPERATOR})


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller of the API: a user id or the name of a key, and its scopes."""

    name: str
    scopes: frozenset[Scope]

    @property
    def is_trusted(self) -> bool:
        """Whether this identity may see and change every call."""
        return not TRUSTED.isdisjoint(self.scopes)

    @property
    def may_call(self) -> bool:
        """Whether this identity may use calls at all."""
        return Scope.CALLS in self.scopes or self.is_trusted


class KeyRing(Protocol):
    """Where API keys are looked up."""

    async def find(self, digest: bytes) -> Identity | None:
        """The owner of the key with this SHA-256 digest, or None when unknown or revoked."""
        ...
