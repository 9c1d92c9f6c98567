"""What must never reach the PBX, and how words are written so that it reads them back.

AGI is a shell on the PBX: `GET VARIABLE SHELL(id)` runs a program even with `live_dangerously=no`.
Facts, each observed on Asterisk 22 (agi protocol notes, facts 10 to 12):

* one line is one write; a NUL or a partial line makes Asterisk spin;
* the line limit is 8191 bytes with its newline, and 2047 before 22.6, 21.11 and 20.16; the excess
  is executed as the next command;
* more than 127 quoted words overwrite Asterisk's stack.
"""

import re
from functools import lru_cache

from fastagi_server.agi.errors import AgiGuardError

MAX_WORDS = 126
"""Words of one line; Asterisk's MAX_ARGS is 128, and its bound is not checked for quoted words."""

LINE_LIMIT = 8191
"""Bytes of one line with its newline, on versions with the larger buffer."""

LINE_LIMIT_BEFORE_22_6 = 2047
"""The same before 22.6.0, 21.11.0 and 20.16.0, and on any version that cannot be read."""

_FIRST_MINOR_WITH_LARGE_BUFFER = {20: 16, 21: 11, 22: 6}

DANGEROUS_FUNCTIONS = frozenset(
    {
        *("SHELL", "ENV", "SYSINFO", "STAT", "FILE", "FILE_COUNT_LINE", "FILE_FORMAT"),
        *("CURL", "CURLOPT", "ODBC", "ODBC_FETCH", "AST_CONFIG", "AST_SORCERY", "DB_DELETE"),
        *("REALTIME", "REALTIME_STORE", "REALTIME_DESTROY", "REALTIME_FIELD", "REALTIME_HASH"),
        *("EVAL", "EVAL_EXTEN", "IMPORT", "MINIVMACCOUNT", "VM_INFO"),
    }
)
"""Dialplan functions that reach the host, its files, its network or its data."""

DANGEROUS_APPLICATIONS = frozenset({"system", "trysystem", "externalivr", "agi", "eagi", "deadagi"})
"""Applications that start a program of the host."""

_VERSION = re.compile(r"(?:certified[/-])?([0-9]{1,4})\.([0-9]{1,4})")
_NAME = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]*(\([^\x00-\x1f\"\\${}]*\))?\Z")
_CALLED_FUNCTION = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\(")


@lru_cache(maxsize=16)
def line_limit(version: str) -> int:
    """Bytes that one command line may have, newline included, for an `agi_version` text.

    >>> line_limit("22.10.1~dfsg"), line_limit("20.15.2"), line_limit("GIT-master-1a2b3c")
    (8191, 2047, 2047)
    """
    match = _VERSION.match(version)
    if match is None:
        return LINE_LIMIT_BEFORE_22_6
    major, minor = int(match[1]), int(match[2])
    if major > max(_FIRST_MINOR_WITH_LARGE_BUFFER):
        return LINE_LIMIT
    first = _FIRST_MINOR_WITH_LARGE_BUFFER.get(major)
    return LINE_LIMIT if first is not None and minor >= first else LINE_LIMIT_BEFORE_22_6


def quote(argument: str) -> str:
    r"""Write one argument so that Asterisk's `parse_args` reads it back unchanged.

    Raises `AgiGuardError` for a newline, carriage return or NUL: they cannot be written at all, and
    replacing them in silence would change what the caller of this function meant.

    >>> quote('a b"c\\d')
    '"a b\\"c\\\\d"'
    """
    if "\n" in argument or "\r" in argument or "\0" in argument:
        raise AgiGuardError("an AGI argument cannot hold a newline, a carriage return or a NUL")
    if "\\" in argument or '"' in argument:
        argument = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{argument}"'


def check_variable_name(name: str) -> str:
    """Return `name` when it is a plain variable or a harmless function call, such as `CHANNEL(x)`.

    Raises `AgiGuardError` otherwise. Text of a caller never belongs into a variable's name.
    """
    if not _NAME.match(name):
        raise AgiGuardError(f"not a variable or function name: {name[:60]!r}")
    if "(" in name:
        _refuse_dangerous_functions(name)
    return name


def check_expression(expression: str) -> str:
    """Return a `GET FULL VARIABLE` expression when every function it calls is harmless."""
    _refuse_dangerous_functions(expression)
    return expression


def check_application(name: str) -> str:
    """Return the name of a dialplan application that starts no program of the host."""
    if not re.match(r"[A-Za-z][A-Za-z0-9_]*\Z", name):
        raise AgiGuardError(f"not the name of an application: {name[:60]!r}")
    if name.lower() in DANGEROUS_APPLICATIONS:
        raise AgiGuardError(f"EXEC {name} would start a program on the PBX")
    return name


def escape_application_argument(value: str) -> str:
    r"""Escape text for use inside the options of an application, such as one value of `MSet`.

    Dialplan options have a syntax of their own, below AGI's quoting: comma, quote, parentheses,
    brackets and backslash are special there. With AGIEXECFULL=yes Asterisk expands `${` and `$[`
    before it removes the escapes, and `\$` does not stop it: the brace and the bracket must be
    escaped.

    >>> escape_application_argument("1, 2 (3)")
    '1\\, 2 \\(3\\)'
    """
    return re.sub(r'([\\,"()\[\]{}])', r"\\\1", value)


def _refuse_dangerous_functions(text: str) -> None:
    for match in _CALLED_FUNCTION.finditer(text):
        function = match[1].upper()
        if function in DANGEROUS_FUNCTIONS or function.startswith("ODBC_"):
            raise AgiGuardError(f"the function {function}() reaches beyond the channel")
        if function.lower() in DANGEROUS_APPLICATIONS:  # as in ExecIf's `1?System(...)`
            raise AgiGuardError(f"{function}() would start a program on the PBX")
