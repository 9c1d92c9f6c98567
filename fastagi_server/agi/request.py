"""The environment block that Asterisk sends first, as a typed request.

Facts: res_agi.c `setup_env`; the block is `key: value` lines in a fixed order, each once, ended by
an empty line. Values are raw bytes without any escaping, so a newline inside one injects lines:
`AGI(agi://host/s?x=${X})` behind the first line, a caller's number behind the eighth, an argument
behind the last. Hence the rules:

* a line out of its place, or repeated, before the arguments shows that a value held a newline, and
  then nothing in the block can be believed: it is refused;
* once `agi_arg_` lines have begun, lines that repeat what was heard are text of an argument and are
  dropped, so that the first occurrence wins.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from fastagi_server.agi.errors import AgiRequestError

UNKNOWN = "unknown"
"""What Asterisk writes for a missing caller number, name, dialled number or redirecting number."""

MAX_ARGUMENTS = 127
"""Arguments after the URL; Asterisk's MAX_ARGS is 128 with the URL."""


_ORDER = (
    *("agi_network", "agi_network_script", "agi_request", "agi_channel", "agi_language"),
    *("agi_type", "agi_uniqueid", "agi_version", "agi_callerid", "agi_calleridname"),
    *("agi_callingpres", "agi_callingani2", "agi_callington", "agi_callingtns", "agi_dnid"),
    *("agi_rdnis", "agi_context", "agi_extension", "agi_priority", "agi_enhanced"),
    *("agi_accountcode", "agi_threadid"),
)
_PERSONAL = ("agi_callerid", "agi_calleridname", "agi_dnid", "agi_rdnis")
_NO_QUERY: Mapping[str, str] = MappingProxyType({})
_COMMON: dict[str | None, str] = {
    value: value for value in (UNKNOWN, "yes", "en", "0", "0.0", "1", "PJSIP", "register")
}
"""Values that most requests share, kept once."""

_PLACES = {key: place for place, key in enumerate(_ORDER)}
_CHANNEL = _PLACES["agi_channel"]
_EXTENSION = _PLACES["agi_extension"]
_UNIQUE_ID = _PLACES["agi_uniqueid"]
_VERSION = _PLACES["agi_version"]
_WHOLE_HEAD = re.compile("".join(f"{key}: (.*)\n" for key in _ORDER))
"""What Asterisk sends, in its order: an eighth of the time of going line by line."""

_PARTIAL_HEAD = re.compile("".join(f"(?:{key}: (.*)\n)?" for key in _ORDER))
"""The same with lines left out, which costs twice as much."""


@dataclass(slots=True)
class AgiRequest:
    """What Asterisk tells about the channel that runs `AGI()`.

    `values` are those of the `agi_*` lines in Asterisk's order, None for a line it did not send: a
    tuple, because thousands of sessions may wait, each with its request. `path` is the script of
    the URL without its query, `query` the decoded query string, `arguments` the positional ones.
    """

    values: tuple[str | None, ...]
    path: str
    query: Mapping[str, str]
    arguments: tuple[str, ...]

    def __getitem__(self, key: str) -> str:
        """The value of one `agi_*` line, "" when Asterisk did not send it."""
        place = _PLACES.get(key)
        return "" if place is None else self.values[place] or ""

    def known(self, key: str) -> str:
        """The value of one line, "" when it is missing or is Asterisk's word `unknown`."""
        value = self[key]
        return "" if value == UNKNOWN else value

    @property
    def variables(self) -> Mapping[str, str]:
        """Every `agi_*` line that Asterisk sent, by its name."""
        pairs = zip(_ORDER, self.values, strict=True)
        return MappingProxyType({key: value for key, value in pairs if value is not None})

    @property
    def unique_id(self) -> str:
        """Asterisk's unique id of the channel; equal to the ARI channel id."""
        return self.values[_UNIQUE_ID] or ""

    @property
    def channel(self) -> str:
        """The channel's name, such as `PJSIP/1001-0000002a`."""
        return self.values[_CHANNEL] or ""

    @property
    def extension(self) -> str:
        """The dialplan extension that runs `AGI()`."""
        return self.values[_EXTENSION] or ""

    @property
    def version(self) -> str:
        """Asterisk's version text, which decides the line limit."""
        return self.values[_VERSION] or ""

    def personal(self) -> Iterator[str]:
        """Numbers and names of people that this request tells."""
        for key in _PERSONAL:
            if value := self.known(key):
                yield value
        if self.extension.strip("+").isdigit():
            yield self.extension


def parse_request(block: bytes) -> AgiRequest:
    """Read one whole environment block, without its closing empty line.

    Undecodable bytes become surrogates (`surrogateescape`), so that a caller name cut in the middle
    of a character neither fails the call nor changes on its way back to Asterisk.

    Raises `AgiRequestError` when a line is no `key: value` pair or stands where Asterisk would not
    have written it, when the block names no unique id, and for more than 127 arguments.
    """
    text = block.decode("utf-8", "surrogateescape") + "\n"
    head = _WHOLE_HEAD.match(text) or _PARTIAL_HEAD.match(text)
    values: list[str | None] = list(head.groups()) if head else [None] * len(_ORDER)
    reached = head.lastindex - 1 if head and head.lastindex else -1
    arguments = _parse_rest(text[head.end() :] if head else text, values, reached)
    if values[_PLACES["agi_uniqueid"]] is None:
        raise AgiRequestError("environment", "the environment names no agi_uniqueid")
    if len(arguments) > MAX_ARGUMENTS:
        raise AgiRequestError("environment", f"more than {MAX_ARGUMENTS} arguments")
    path, _, query = (values[_PLACES["agi_network_script"]] or "").partition("?")
    shared = tuple(map(_COMMON.get, values, values))
    return AgiRequest(shared, path.strip("/"), _parse_query(query), tuple(arguments))


def _parse_rest(text: str, values: list[str | None], reached: int) -> list[str]:
    """Read the lines behind the usual head: adds to `values`, returns the arguments.

    `reached` is the place of the last line that was read.
    """
    arguments: list[str] = []
    for line in text.split("\n")[:-1]:
        key, colon, value = line.partition(":")
        place = _PLACES.get(key)
        if place is not None:
            if place > reached and not arguments:
                values[place] = value[1:]
                reached = place
            elif not arguments or values[place] is None:
                raise AgiRequestError("environment", f"{key} out of place: a value held a newline")
        elif key.startswith("agi_arg_"):
            if key != f"agi_arg_{len(arguments) + 1}":
                raise AgiRequestError("environment", f"{key[:20]} out of place")
            arguments.append(value[1:])
        elif not arguments and not (colon and key.startswith("agi_")):
            raise AgiRequestError("environment", f"not an AGI environment line: {line[:60]!r}")
    return arguments


def _parse_query(text: str) -> Mapping[str, str]:
    """Decode a query string; the first value of a name wins, as in the environment.

    A plus stays a plus: Asterisk's URIENCODE writes a space as %20, and telephone numbers begin
    with a plus.
    """
    if not text:
        return _NO_QUERY
    query: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if name:
            query.setdefault(unquote(name), unquote(value, "utf-8", errors="surrogateescape"))
    return MappingProxyType(query)
