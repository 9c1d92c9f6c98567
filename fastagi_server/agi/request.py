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
from collections.abc import Mapping
from dataclasses import dataclass, field
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
_PLACES = {key: place for place, key in enumerate(_ORDER)}
_WHOLE_HEAD = re.compile("".join(f"(?:{key}: (.*)\n)?" for key in _ORDER))
"""What Asterisk normally sends, in its order; a quarter of the time of going line by line."""


@dataclass(frozen=True, slots=True)
class AgiRequest:
    """What Asterisk tells about the channel that runs `AGI()`.

    `variables` holds the `agi_*` lines of Asterisk, `path` the script of the URL without
    its query, `query` the decoded query string, `arguments` the positional arguments in order.
    """

    variables: Mapping[str, str]
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    arguments: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> str:
        """The value of one `agi_*` line, "" when Asterisk did not send it."""
        return self.variables.get(key, "")

    def known(self, key: str) -> str:
        """The value of one line, "" when it is missing or is Asterisk's word `unknown`."""
        value = self.variables.get(key, "")
        return "" if value == UNKNOWN else value

    @property
    def unique_id(self) -> str:
        """Asterisk's unique id of the channel; equal to the ARI channel id."""
        return self["agi_uniqueid"]

    @property
    def channel(self) -> str:
        """The channel's name, such as `PJSIP/1001-0000002a`."""
        return self["agi_channel"]

    @property
    def extension(self) -> str:
        """The dialplan extension that runs `AGI()`."""
        return self["agi_extension"]

    @property
    def version(self) -> str:
        """Asterisk's version text, which decides the line limit."""
        return self["agi_version"]


def parse_request(block: bytes) -> AgiRequest:
    """Read one whole environment block, without its closing empty line.

    Undecodable bytes become surrogates (`surrogateescape`), so that a caller name cut in the middle
    of a character neither fails the call nor changes on its way back to Asterisk.

    Raises `AgiRequestError` when a line is no `key: value` pair or stands where Asterisk would not
    have written it, when the block names no unique id, and for more than 127 arguments.
    """
    text = block.decode("utf-8", "surrogateescape") + "\n"
    variables: dict[str, str] = {}
    head = _WHOLE_HEAD.match(text)
    if head is not None and head.lastindex:
        variables = {k: v for k, v in zip(_ORDER, head.groups(), strict=True) if v is not None}
        text = text[head.end() :]
    arguments = _parse_rest(text, variables)
    if "agi_uniqueid" not in variables:
        raise AgiRequestError("environment", "the environment names no agi_uniqueid")
    if len(arguments) > MAX_ARGUMENTS:
        raise AgiRequestError("environment", f"more than {MAX_ARGUMENTS} arguments")
    path, _, query = variables.get("agi_network_script", "").partition("?")
    return AgiRequest(
        MappingProxyType(variables), path.strip("/"), _parse_query(query), tuple(arguments)
    )


def _parse_rest(text: str, variables: dict[str, str]) -> list[str]:
    """Read the lines behind the usual head: adds to `variables`, returns the arguments."""
    arguments: list[str] = []
    reached = _PLACES[next(reversed(variables))] if variables else -1
    for line in text.split("\n")[:-1]:
        key, colon, value = line.partition(":")
        place = _PLACES.get(key)
        if place is not None:
            if place > reached and not arguments:
                variables[key] = value[1:]
                reached = place
            elif not arguments or key not in variables:
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
    query: dict[str, str] = {}
    for pair in text.split("&") if text else ():
        name, _, value = pair.partition("=")
        if name:
            query.setdefault(unquote(name), unquote(value, "utf-8", errors="surrogateescape"))
    return MappingProxyType(query)
