"""SIP addresses, URIs and their parameters (RFC 3261, 19.1 and 20.10).

A URI is kept as text wherever it is only handed on: a route or a remote target must go back as it
came. `Uri` takes it apart for those who need a part, and builds one that cannot break out of its
place.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote as percent
from urllib.parse import unquote as unpercent

from fastagi_server.sip.errors import SipSyntaxError, SipValueError
from fastagi_server.sip.quoting import UNSPEAKABLE, quote, split, unquote

MAX_DISPLAY_NAME = 128
"""Characters of a name that `plain_name` keeps; telephones show twenty to forty."""

MAX_PORT = 65_535
_USER_UNRESERVED = "-_.!~*'()&=+$,;?/"
_PARAMETER_UNRESERVED = "-_.!~*'()[]/:&+$"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\]")
_URI_TEXT = re.compile('[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"\x7f\ud800-\udfff]+')
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]/:&$()]+")
_UNQUOTED_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]/:&$()@]+")
_BLANKS = re.compile("[\x00-\x20\x7f\ud800-\udfff]+")


class Parameters:
    """`;name=value;flag` behind an address or in a URI: asked by name in any case, in order.

    A flag has the value None. Raises `SipValueError` for a name that is no token or a value with a
    control character.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str | None]] = ()) -> None:
        self._pairs = tuple(pairs)
        for name, value in self._pairs:
            if _PARAMETER_NAME.fullmatch(name) is None:
                raise SipValueError(f"no name of a parameter: {name[:40]!r}")
            if value is not None and UNSPEAKABLE.search(value) is not None:
                raise SipValueError(f"a control character in {name[:40]}")

    @classmethod
    def parse(cls, parts: Iterable[str]) -> Self:
        """The parameters of these `name=value` texts; empty ones are passed over.

        Raises `SipSyntaxError`.
        """
        pairs: list[tuple[str, str | None]] = []
        for part in parts:
            name, equals, value = part.partition("=")
            if part:
                pairs.append((name.rstrip(" \t"), unquote(value.lstrip(" \t")) if equals else None))
        try:
            return cls(pairs)
        except SipValueError as error:
            raise SipSyntaxError(str(error)) from error

    def get(self, name: str) -> str | None:
        """The value; None when there is no such parameter or it is a flag (ask with `in`)."""
        wanted = name.lower()
        return next((value for known, value in self._pairs if known.lower() == wanted), None)

    def setting(self, name: str, value: str | None) -> Self:
        """These parameters with one of them replaced, or added at the end."""
        others = [pair for pair in self._pairs if pair[0].lower() != name.lower()]
        return type(self)((*others, (name, value)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(known.lower() == name.lower() for known, _ in self)

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self._pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameters) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Parameters({list(self._pairs)!r})"

    def __str__(self) -> str:
        return "".join(
            f";{name}" if value is None else f";{name}={_value(value)}" for name, value in self
        )


def _value(value: str) -> str:
    return value if _UNQUOTED_VALUE.fullmatch(value) else quote(value)


@dataclass(frozen=True, slots=True)
class Uri:
    """A `sip:` or `sips:` URI. `user` is plain text: escaping is done and undone here.

    A password is dropped (RFC 3261, 19.1.1, advises against it), and so are headers behind `?`.
    Raises `SipValueError` for a host, port or scheme that cannot be one.
    """

    user: str
    host: str
    port: int | None = None
    parameters: Parameters = field(default_factory=Parameters)
    scheme: str = "sip"

    def __post_init__(self) -> None:
        if self.scheme not in {"sip", "sips"}:
            raise SipValueError("neither sip nor sips")
        if _HOST.fullmatch(self.host) is None:
            raise SipValueError(f"no host: {self.host[:40]!r}")
        if self.port is not None and not 0 <= self.port <= MAX_PORT:
            raise SipValueError(f"no port: {self.port}")
        if UNSPEAKABLE.search(self.user) is not None:
            raise SipValueError("a control character in the user of a URI")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of a URI as on the wire. Raises `SipSyntaxError`."""
        if _URI_TEXT.fullmatch(text) is None:
            raise SipSyntaxError("no URI", text)
        scheme, _, rest = text.partition(":")
        account, at, place = rest.rpartition("@")
        address, *parameters = place.partition("?")[0].split(";")
        host, port = _host_and_port(address)
        user = unpercent(account.partition(":")[0], errors="replace") if at else ""
        try:
            return cls(
                UNSPEAKABLE.sub("\ufffd", user),
                host,
                port,
                Parameters(_unescaped(one) for one in parameters if one),
                scheme.lower(),
            )
        except SipValueError as error:
            raise SipSyntaxError(str(error)) from error

    def __str__(self) -> str:
        account = f"{percent(self.user, safe=_USER_UNRESERVED)}@" if self.user else ""
        port = "" if self.port is None else f":{self.port}"
        parameters = "".join(
            f";{percent(name, safe=_PARAMETER_UNRESERVED)}"
            + ("" if value is None else f"={percent(value, safe=_PARAMETER_UNRESERVED)}")
            for name, value in self.parameters
        )
        return f"{self.scheme}:{account}{self.host}{port}{parameters}"


def _unescaped(parameter: str) -> tuple[str, str | None]:
    name, equals, value = parameter.partition("=")
    return unpercent(name), unpercent(value, errors="replace") if equals else None


def _host_and_port(address: str) -> tuple[str, int | None]:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address, None
    if not (port.isascii() and port.isdigit() and len(port) <= len(str(MAX_PORT))):
        raise SipSyntaxError("no port", port)
    return host, int(port)


@dataclass(frozen=True, slots=True)
class NameAddress:
    """From, To, Contact, Route, P-Asserted-Identity: a name, a URI as text, and parameters.

    Raises `SipValueError` for a URI with a blank or a bracket and for control characters; see
    `plain_name` for names that people typed.
    """

    uri: str
    display_name: str = ""
    parameters: Parameters = field(default_factory=Parameters)

    def __post_init__(self) -> None:
        if _URI_TEXT.fullmatch(self.uri) is None:
            raise SipValueError(f"no URI: {self.uri[:40]!r}")
        if UNSPEAKABLE.search(self.display_name) is not None:
            raise SipValueError("a control character in a display name")

    @classmethod
    def parse(cls, value: str) -> Self:
        """The address in a header value. Without `<>` all parameters are the header's.

        Raises `SipSyntaxError`; for `*`, which a Contact may be, too.
        """
        address, *parameters = split(value, ";")
        name, bracket, uri = address.rpartition("<")
        if bracket:
            if not uri.endswith(">"):
                raise SipSyntaxError("text behind an address", value)
            uri = uri[:-1]
        try:
            return cls(uri.strip(" \t"), unquote(name.strip(" \t")), Parameters.parse(parameters))
        except SipValueError as error:
            raise SipSyntaxError(str(error)) from error

    @property
    def tag(self) -> str | None:
        """The tag that makes a From or To one end of a dialog."""
        return self.parameters.get("tag")

    def tagged(self, tag: str) -> Self:
        """The same address with this tag."""
        return type(self)(self.uri, self.display_name, self.parameters.setting("tag", tag))

    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{self.parameters}"


def plain_name(text: str) -> str:
    """A name that somebody typed, as a display name: one line, at most `MAX_DISPLAY_NAME` long."""
    return _BLANKS.sub(" ", text).strip()[:MAX_DISPLAY_NAME].strip()
