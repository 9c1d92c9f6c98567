"""Spans of a trace, as values: ids, times and the header that carries them (W3C Trace Context).

A call's trace is found from its idempotency key alone: the sessions of one call begin minutes
apart, perhaps in different processes, and share nothing but that key. Its root span, the whole
call, is written when the call ends; until then the others name a parent that is yet to come.
"""

import hashlib
import random
import re
import time
from dataclasses import dataclass, field
from typing import Literal, Self

Kind = Literal["internal", "server", "client"]

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8


def ids_of(key: str) -> tuple[int, int]:
    """The trace of the call with this idempotency key, and its root span in it; never zero."""
    size = _TRACE_ID_BYTES + _SPAN_ID_BYTES
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=size).digest()
    trace_id = int.from_bytes(digest[:_TRACE_ID_BYTES], "big")
    return trace_id or 1, int.from_bytes(digest[_TRACE_ID_BYTES:], "big") or 1


@dataclass(slots=True)
class Span:
    """Work that began; times are nanoseconds since 1970. Without a parent it is a root."""

    name: str
    kind: Kind = "internal"
    trace_id: int = field(default_factory=lambda: random.getrandbits(128) or 1)
    span_id: int = field(default_factory=lambda: random.getrandbits(64) or 1)
    parent_id: int | None = None
    started_ns: int = field(default_factory=time.time_ns)

    def child(self, name: str, kind: Kind = "internal") -> "Span":
        """A span that begins now as part of this one."""
        return Span(name, kind, trace_id=self.trace_id, parent_id=self.span_id)

    def join(self, key: str) -> None:
        """Become part of the trace of a call, unless it is part of one; before any child is."""
        if self.parent_id is None:
            self.trace_id, self.parent_id = ids_of(key)

    @property
    def traceparent(self) -> bytes:
        """The value of the header of that name."""
        return b"00-%032x-%016x-01" % (self.trace_id, self.span_id)

    @classmethod
    def from_traceparent(cls, header: bytes, name: str, kind: Kind = "server") -> Self:
        """A span of the trace that the header names; of a new one when it is empty or no good."""
        match = _TRACEPARENT.fullmatch(header)
        if match is None or not int(match[1], 16) or not int(match[2], 16):
            return cls(name, kind)
        return cls(name, kind, trace_id=int(match[1], 16), parent_id=int(match[2], 16))
