"""The header fields of a SIP message: an ordered list that is asked by name.

Names are asked for in any case and in the long or the compact form (RFC 3261, 7.3.3; the compact
form is written out when a field is made). `Content-Length` is no field here: it belongs to the
bytes on the wire, so reading takes it out and writing puts it in.
"""

from collections.abc import Iterable, Iterator
from typing import Self

from fastagi_server.sip.errors import SipValueError
from fastagi_server.sip.quoting import TOKEN, UNSPEAKABLE, split

COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
"""The one-letter names that IANA registered, and what they stand for."""

Field = tuple[str, str]


def long_name(name: str) -> str:
    """The name with a compact form written out."""
    return COMPACT.get(name.lower(), name) if len(name) == 1 else name


class Headers:
    """Fields in the order of the wire; never changed, the changing methods give a new one.

    Raises `SipValueError` for a name that is no token, a value with a line end or another control
    character, and for `Content-Length`. Values are trimmed of blanks.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self._fields = tuple(_checked(name, value) for name, value in fields)

    def get(self, name: str) -> str | None:
        """The value of the first field of this name."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """The values of all fields of this name, as they stand."""
        wanted = long_name(name).lower()
        return [value for known, value in self._fields if known.lower() == wanted]

    def elements(self, name: str) -> list[str]:
        """The comma-separated elements of all fields of this name: Via, Route, Supported, Allow...

        Not for fields in which a comma divides nothing: Subject, Date, the challenges. Raises
        `SipSyntaxError` for quotes or brackets that are not closed.
        """
        return [part for value in self.get_all(name) for part in split(value, ",") if part]

    def adding(self, *fields: Field) -> Self:
        """These headers with more fields at the end."""
        return type(self)((*self._fields, *fields))

    def without(self, *names: str) -> Self:
        """These headers but for all fields of these names."""
        unwanted = {long_name(name).lower() for name in names}
        return type(self)(field for field in self._fields if field[0].lower() not in unwanted)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"Headers({list(self._fields)!r})"


def _checked(name: str, value: str) -> Field:
    name, value = long_name(name), value.strip(" \t")
    if TOKEN.fullmatch(name) is None:
        raise SipValueError(f"no name of a header: {name[:40]!r}")
    if UNSPEAKABLE.search(value) is not None:
        raise SipValueError(f"a control character in {name[:40]}")
    if name.lower() == "content-length":
        raise SipValueError("Content-Length is counted, not given")
    return name, value
