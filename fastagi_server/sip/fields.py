"""Via and CSeq: the fields by which requests and responses find each other (RFC 3261, 8.1.1)."""

import re
from dataclasses import dataclass, field
from typing import Self

from fastagi_server.sip.addresses import Parameters
from fastagi_server.sip.errors import SipSyntaxError, SipValueError
from fastagi_server.sip.quoting import TOKEN, split

MAX_SEQUENCE = 2**31 - 1
"""RFC 3261, 8.1.1.5: less than 2**31."""

_LOOSE = re.IGNORECASE | re.ASCII
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)")
_VIA = re.compile(r"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*([A-Za-z0-9-]+)[ \t]+([^ \t]+)", _LOOSE)
_SENT_BY = re.compile(r"[A-Za-z0-9._\-\[\]:]+")


@dataclass(frozen=True, slots=True)
class CSeq:
    """The number of a request in its dialog, and its method."""

    number: int
    method: str

    def __post_init__(self) -> None:
        if not 0 <= self.number <= MAX_SEQUENCE or TOKEN.fullmatch(self.method) is None:
            raise SipValueError("no CSeq")

    @classmethod
    def parse(cls, value: str) -> Self:
        """The field's value. Raises `SipSyntaxError`."""
        found = _CSEQ.fullmatch(value)
        if found is None or int(found[1]) > MAX_SEQUENCE:
            raise SipSyntaxError("no CSeq", value)
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Via:
    """One hop of a request: `transport` as written, `sent_by` as `host` or `host:port`."""

    transport: str
    sent_by: str
    parameters: Parameters = field(default_factory=Parameters)

    def __post_init__(self) -> None:
        if TOKEN.fullmatch(self.transport) is None or _SENT_BY.fullmatch(self.sent_by) is None:
            raise SipValueError("no Via")

    @classmethod
    def parse(cls, element: str) -> Self:
        """One element of the field (see `Headers.elements`). Raises `SipSyntaxError`."""
        hop, *parameters = split(element, ";")
        found = _VIA.fullmatch(hop)
        if found is None or _SENT_BY.fullmatch(found[2]) is None:
            raise SipSyntaxError("no Via", element)
        return cls(found[1], found[2], Parameters.parse(parameters))

    @property
    def branch(self) -> str | None:
        """The id of the transaction."""
        return self.parameters.get("branch")

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{self.parameters}"
