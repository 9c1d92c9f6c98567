"""Commands about data and control: variables, Asterisk's database, applications, subroutines."""

from collections.abc import Mapping
from functools import lru_cache

from fastagi_server.agi import results
from fastagi_server.agi.command import KINDS, Command, command, encode
from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.agi.guards import (
    check_application,
    check_expression,
    check_variable_name,
    escape_application_argument,
    quote,
)

MAX_PAIRS = 98
"""Variables that one MSet sets at most: Asterisk leaves the escapes in the 99th and all behind."""


_SET_VARIABLE = KINDS["SET VARIABLE"]


def database_del(family: str, key: str) -> Command[bool]:
    """Delete one key of Asterisk's database; true also when it was not there."""
    return command("DATABASE DEL", family, key, parse=results.flag)


def database_deltree(family: str, tree: str = "") -> Command[bool]:
    """Delete a family or a tree below it; whether anything was deleted."""
    return command(
        "DATABASE DELTREE", family, *([tree] if tree else []), parse=results.deleted_tree
    )


def database_get(family: str, key: str) -> Command[str | None]:
    """Read one key, None when it is absent."""
    return command("DATABASE GET", family, key, parse=results.database_value)


def database_put(family: str, key: str, value: str) -> Command[bool]:
    """Write one key; whether that worked."""
    return command("DATABASE PUT", family, key, value, parse=results.flag)


def execute(application: str, options: str = "", *, seconds: float | None = None) -> Command[int]:
    """Run a dialplan application; its return code, -2 when Asterisk has no such application.

    `options` is the application's own syntax: escape untrusted parts with
    `guards.escape_application_argument`. Applications that start programs of the host are refused,
    and so are functions in `options` that reach beyond the channel.
    """
    check_expression(options)
    return command(
        "EXEC", check_application(application), options, parse=results.return_code, seconds=seconds
    )


def mset(variables: Mapping[str, str]) -> Command[int]:
    """Set up to 98 variables in one round trip; more raise `AgiGuardError`."""
    if len(variables) > MAX_PAIRS:
        raise AgiGuardError(f"MSet takes {MAX_PAIRS} variables at most")
    pairs = (
        f"{check_variable_name(name)}={escape_application_argument(value)}"
        for name, value in variables.items()
    )
    return command("EXEC", "MSet", ",".join(pairs), parse=results.return_code)


def get_full_variable(expression: str, channel: str = "") -> Command[str]:
    """Evaluate an expression such as `${CHANNEL(linkedid)}`; an unknown variable gives "".

    Never build `expression` from text of a caller. An unknown channel raises.
    """
    check_expression(expression)
    return command(
        "GET FULL VARIABLE",
        expression,
        *([channel] if channel else []),
        parse=results.full_value,
    )


def get_variable(name: str) -> Command[str | None]:
    """Read one variable or function, None when unset; Asterisk cuts the value at 1023 bytes."""
    return command("GET VARIABLE", check_variable_name(name), parse=results.value)


def gosub(
    context: str, extension: str, priority: int | str, arguments: str = ""
) -> Command[results.GosubResult]:
    """Run a dialplan subroutine to its Return(); a missing label raises."""
    return command(
        "GOSUB",
        context,
        extension,
        str(priority),
        *([arguments] if arguments else []),
        parse=results.gosub,
        seconds=None,
    )


def noop(text: str = "") -> Command[None]:
    """Do nothing."""
    return command("NOOP", *([text] if text else []), parse=results.nothing)


def set_variable(name: str, value: str) -> Command[None]:
    """Set a variable or write a function; Asterisk answers 1 even when the function failed."""
    line = _set_variable_head(name) + encode(quote(value)) + b"\n"
    return Command(_SET_VARIABLE, line, results.nothing)


@lru_cache(maxsize=256)
def _set_variable_head(name: str) -> bytes:
    """Every session ends with these lines, and their names hardly differ."""
    return encode(f'SET VARIABLE "{check_variable_name(name)}" ')


def verbose(message: str, level: int = 1) -> Command[None]:
    """Print a line on Asterisk's console at a verbosity of 1 to 4."""
    return command("VERBOSE", message, level, parse=results.nothing)
