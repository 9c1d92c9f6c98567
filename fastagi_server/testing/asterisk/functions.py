"""Variables and dialplan functions, as GET VARIABLE reads and SET VARIABLE writes them."""

import base64
import binascii
import hashlib
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from fastagi_server.testing.asterisk.channel import Channel
from fastagi_server.testing.asterisk.text import decode, encode

STATES: Final = {
    0: "Down",
    1: "Rsrvd",
    2: "OffHook",
    3: "Dialing",
    4: "Ring",
    5: "Ringing",
    6: "Up",
}

DANGEROUS: Final = frozenset({"SHELL", "FILE", "ENV", "SYSTEM", "CURL", "EVAL", "REALTIME"})
"""Functions by which a name made from somebody's input runs programs or reads files on the PBX."""


def read(channel: Channel, name: str) -> str | None:
    """Give the value of a variable or function; `None` where Asterisk says that it is not set."""
    if name in channel.variables:
        return channel.variables[name]
    if name.endswith(")") and "(" in name:
        function, _, argument = name[:-1].partition("(")
        return _read_function(channel, function, argument)
    builtin = _BUILT_IN.get(name)
    return builtin(channel) if builtin else None


def write(channel: Channel, name: str, value: str) -> None:
    """Set a variable, or a function that can be written; what cannot be is ignored silently."""
    channel.written[name.lstrip("_")] = value
    if not name.endswith(")"):
        channel.variables[name.lstrip("_")] = value
        return
    function, _, argument = name[:-1].partition("(")
    if function == "CALLERID":
        _write_caller_id(channel, argument.lower(), value)
    elif (function, argument) == ("CHANNEL", "language"):
        channel.language = value


def set_caller_id(channel: Channel, text: str) -> None:
    """Take a caller id in the form `"name" <number>`, or a bare number."""
    name, bracket, number = text.partition("<")
    channel.caller_name = name.strip().strip('"') if bracket else ""
    channel.caller_number = number.partition(">")[0].strip() if bracket else text.strip()


def function_name(name: str) -> str:
    """Give the function that a variable name calls, in capitals; empty for a plain variable."""
    return name.partition("(")[0].strip().upper() if "(" in name else ""


def _write_caller_id(channel: Channel, argument: str, value: str) -> None:
    if argument in ("num", "number"):
        channel.caller_number = value
    elif argument == "name":
        channel.caller_name = value
    elif argument == "all":
        set_caller_id(channel, value)


def _read_function(channel: Channel, function: str, argument: str) -> str | None:
    if function == "CHANNEL":
        item = _CHANNEL.get(argument)
        return item(channel) if item else None
    if function == "CALLERID":
        item = _CALLER_ID.get(argument.lower())
        return item(channel) if item else None
    if function == "DB":
        family, _, key = argument.partition("/")
        return channel.pbx.database.get(family, key)
    transform = _TRANSFORMS.get(function)
    return transform(argument) if transform else None


def _base64_decode(argument: str) -> str:
    try:
        return decode(base64.b64decode(encode(argument)))
    except binascii.Error:
        return ""


def _hash(algorithm: str) -> Callable[[str], str]:
    return lambda argument: hashlib.new(
        algorithm, encode(argument), usedforsecurity=False
    ).hexdigest()


_BUILT_IN: Final[dict[str, Callable[[Channel], str]]] = {
    "CHANNEL": lambda channel: channel.name,
    "CONTEXT": lambda channel: channel.context,
    "EPOCH": lambda _: str(int(time.time())),
    "EXTEN": lambda channel: channel.extension,
    "HANGUPCAUSE": lambda channel: str(channel.hangup_cause),
    "PRIORITY": lambda channel: str(channel.priority),
    "SYSTEMNAME": lambda _: "",
    "UNIQUEID": lambda channel: channel.unique_id,
}

_CHANNEL: Final[dict[str, Callable[[Channel], str]]] = {
    "accountcode": lambda channel: channel.account_code,
    "channeltype": lambda channel: channel.name.partition("/")[0],
    "context": lambda channel: channel.context,
    "exten": lambda channel: channel.extension,
    "language": lambda channel: channel.language,
    "linkedid": lambda channel: channel.linked_id,
    "name": lambda channel: channel.name,
    "state": lambda channel: STATES[channel.state],
    "uniqueid": lambda channel: channel.unique_id,
}

_CALLER_ID: Final[dict[str, Callable[[Channel], str]]] = {
    "all": lambda channel: f'"{channel.caller_name}" <{channel.caller_number}>',
    "dnid": lambda channel: channel.dialled_number,
    "name": lambda channel: channel.caller_name,
    "num": lambda channel: channel.caller_number,
    "number": lambda channel: channel.caller_number,
}

_TRANSFORMS: Final[dict[str, Callable[[str], str]]] = {
    "BASE64_DECODE": _base64_decode,
    "BASE64_ENCODE": lambda argument: decode(base64.b64encode(encode(argument))),
    "LEN": lambda argument: str(len(encode(argument))),
    "MD5": _hash("md5"),
    "SHA1": _hash("sha1"),
    "TOLOWER": str.lower,
    "TOUPPER": str.upper,
    "URIDECODE": lambda argument: decode(unquote_to_bytes(encode(argument))),
    "URIENCODE": lambda argument: quote(encode(argument), safe="-_.~!*'()"),
}
