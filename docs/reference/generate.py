"""`python -m docs.reference.generate`: write the reference pages from the code.

Every page is a function in `PAGES`; a test holds the files to what these functions give, so that a
change of the code that changes a page cannot be forgotten.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import annotated_types
import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from docs.reference.event_types import event_types
from docs.reference.log_lines import log_lines
from docs.reference.markdown import code, page, paragraphs, plain, table
from docs.reference.rest import rest_api
from fastagi_server.agi import commands
from fastagi_server.agi.command import KINDS
from fastagi_server.cli import main as command_line
from fastagi_server.fastagi.endings import TEXTS
from fastagi_server.fastagi.router import Parameter, Route
from fastagi_server.registration import codes
from fastagi_server.routes import ROUTES
from fastagi_server.settings import CONFIG_FILE_VARIABLE, DEFAULT_CONFIG_FILE, Settings
from fastagi_server.telemetry.measures import TABLE

FOLDER = Path(__file__).parent

COMPUTED_DEFAULTS = {
    "fastagi_state_dir": "`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/fastagi-server`, else"
    " `~/.local/state/fastagi-server`",
    "fastagi_system_name": "the host's name",
}
"""What a default is that is worked out when the program starts."""

BOUNDS = {annotated_types.Ge: "≥", annotated_types.Gt: ">", annotated_types.Le: "≤"}


def settings() -> str:
    """Every setting with its default and limits."""
    return page(
        "Settings",
        f"""Each setting has one name: `SGE_API_URL` in the environment and in `.env` is
`sge_api_url` in the TOML file and as the name of a systemd credential. The environment wins over
`.env` (of the working folder), that over credentials, that over the file, which is
`{DEFAULT_CONFIG_FILE}` or what `{CONFIG_FILE_VARIABLE}` names. A list is written with commas in the
environment and as an array in TOML; a table as JSON in the environment.
Durations are seconds. `fastagi-server check` prints what is in force.""",
        table(
            ("Name", "Default", "Values", "Meaning"),
            (
                (code(name.upper()), _default(name, field), _values(field), field.description or "")
                for name, field in Settings.model_fields.items()
            ),
        ),
    )


def _default(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return COMPUTED_DEFAULTS.get(name, "empty")
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(cast("tuple[str, ...]", value))
    if isinstance(value, bool):
        value = str(value).lower()
    return code("" if value is None else value) or "empty"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not None and field.annotation in _LITERALS:
        return ", ".join(map(code, get_args(field.annotation)))
    bounds = [
        f"{sign} {getattr(limit, kind.__name__.lower()):g}"
        for limit in field.metadata
        for kind, sign in BOUNDS.items()
        if isinstance(limit, kind)
    ]
    return ", ".join(filter(None, (_KINDS.get(field.annotation, "text"), *bounds)))


_LITERALS = [
    field.annotation
    for field in Settings.model_fields.values()
    if all(isinstance(word, str) for word in get_args(field.annotation))
    and get_args(field.annotation)
]
_KINDS: Mapping[Any, str] = {
    bool: "`true`, `false`",
    float: "number",
    int: "whole number",
    SecretStr: "secret",
    Path: "path",
    Path | None: "path",
    tuple[str, ...]: "list",
    dict[str, str]: "table",
}


def routes() -> str:
    """Every route with its parameters."""
    return page(
        "AGI routes",
        """`AGI(agi://127.0.0.1:4573/<route>?name=value&...,value,...)`: a parameter comes by name
from the query, or by position from the arguments; a name wins over a position, and an empty value
counts as not given. Encode values with `${URIENCODE(...)}`. The empty path is `register`.
`fastagi-server routes` prints this list for the installed version. What the variables mean is in
[Channel variables](variables.md), the codes in [Error codes](errors.md).""",
        *map(_route, ROUTES),
    )


def _route(route: Route) -> str:
    budget = (
        "as long as the call" if route.budget_seconds is None else f"{route.budget_seconds:g} s"
    )
    rows = [
        (str(position), code(parameter.name), _kind(parameter), _need(route, parameter))
        for position, parameter in enumerate(route.parameters, 1)
    ]
    return "\n\n".join(
        (
            f"## {route.path}",
            paragraphs(route.description),
            table(("Position", "Name", "Type", "Default"), rows) if rows else "No parameters.",
            f"Budget: {budget}. On error: `{route.on_error.action}`.",
        )
    )


def _kind(parameter: Parameter) -> str:
    members = getattr(parameter.kind, "__members__", None)
    if members:
        return ", ".join(code(member.value) for member in members.values())
    return {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no"}[
        parameter.kind.__name__
    ]


def _need(route: Route, parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    default = inspect.signature(route.handler).parameters[parameter.name].default
    return code(getattr(default, "value", default)) or "empty"


def errors() -> str:
    """Every code of SGE_ERROR_CODE."""
    return page(
        "Error codes",
        f"""What `SGE_ERROR_CODE` may hold. Codes are stable: branch on them, not on `SGE_ERROR`,
which is a short text for people. With `SGE_STATUS=QUEUED` the code is the reason and `SGE_ERROR` is
empty. `REFUSED` goes with `SGE_ERROR="{codes.ERROR_REFUSED}"`, `FAILED` with the texts below.""",
        "## From a registration",
        f'A `FAILED` one has `SGE_ERROR="{codes.ERROR_FAILED}"`.',
        table(("Code", "Meaning"), ((code(name), text) for name, text in codes.MEANINGS.items())),
        "## From the session itself",
        "The status is `FAILED`.",
        table(("Code", "`SGE_ERROR`"), ((code(name), text) for name, text in TEXTS.items())),
        "## From the dialplan",
        """`service_unreachable`, with `SGE_ERROR="Call service unreachable"` and
`SGE_STATUS=FAILED`, is set by the subroutine `sge-register` and by the classic script when nobody
answers at the server's address; the server itself never says it.""",
    )


def measures() -> str:
    """Every measure."""
    return page(
        "Measures",
        """`GET /api/v1/metrics/prometheus` on the embedded API's port gives them in the text format
of Prometheus, to whoever can reach the port. A histogram has the series `_bucket`, `_sum` and
`_count`. With several workers each series also has the label `worker`. What has an object of
SNMP is the sum of its series, at the named arc below `.1.3.6.1.4.1.8072.1.3.2.3.2.1`.""",
        table(
            ("Name", "Kind", "Labels", "SNMP", "Meaning"),
            (
                (
                    code(row.name),
                    row.kind,
                    ", ".join(map(code, row.labels)),
                    ", ".join(f"`.{each.arc}.1` {each.name}" for each in row.snmp),
                    row.meaning,
                )
                for row in TABLE
            ),
        ),
    )


def agi_commands() -> str:
    """Every AGI command as a route sends it."""
    functions = {name: getattr(commands, name) for name in commands.__all__}
    return page(
        "AGI commands",
        """`await channel.execute(stream_file("beep"))` sends a command and gives its value. The
functions are in `fastagi_server.agi.commands`; they refuse what would hurt the PBX when they are
called, before anything is sent. `mset` and `execute` both send `EXEC`.""",
        table(
            ("Function", "Value", "What it does"),
            (_agi_command(name, function) for name, function in functions.items()),
        ),
        "## On a dead channel",
        "After a hang-up only these work; the others raise `AgiDeadChannelError` unsent: "
        + ", ".join(sorted(code(kind.name) for kind in KINDS.values() if kind.dead_safe))
        + ".",
    )


def _agi_command(name: str, function: Callable[..., Any]) -> tuple[str, str, str]:
    signature = inspect.signature(function)
    (value,) = get_args(signature.return_annotation)
    arguments = signature.replace(return_annotation=signature.empty)
    first_paragraph = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return (
        code(f"{name}{arguments}".replace("collections.abc.", "")),
        code(_type_name(value)),
        plain(first_paragraph),
    )


def _type_name(value: Any) -> str:
    if value is type(None):
        return "nothing"
    return inspect.formatannotation(value).replace("fastagi_server.agi.results.", "")


def command_page() -> str:
    """The help of every command."""
    return page(
        "Command line",
        "`python -m fastagi_server` is the same program.",
        *(
            f"## {path}\n\n```text\n{text}\n```"
            for path, text in _helps("fastagi-server", command_line, None)
        ),
    )


def _helps(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        help_option_names=["-h", "--help"],
        terminal_width=88,
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for word, subcommand in sorted(command.commands.items()):
            yield from _helps(word, subcommand, context)


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings,
    "event-types.md": event_types,
    "routes.md": routes,
    "errors.md": errors,
    "measures.md": measures,
    "log-lines.md": log_lines,
    "agi-commands.md": agi_commands,
    "command-line.md": command_page,
    "rest-api.md": rest_api,
}
"""Name of the file to the function that gives its text."""


def main() -> None:
    """Write every page and say which ones changed."""
    for name, render in PAGES.items():
        path, text = FOLDER / name, render()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.name}")  # noqa: T201 - the command's report


if __name__ == "__main__":
    main()
