"""The page of log lines, read from the source: every call of a logger, wherever it stands."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fastagi_server
from docs.reference.markdown import code, page, table

PACKAGE = Path(fastagi_server.__file__).parent
LOGGERS = {"log", "_log"}
LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3, "exception": 3, "critical": 4}
"""Methods of a logger, by how urgent a line is; `exception` is an error with its trace."""

SHIPPED_DOUBLES = "testing"


def log_lines() -> str:
    """Every line the program may log."""
    lines = sorted(set(_lines()), key=lambda line: (-LEVELS[line[0]], *line[1:]))
    return page(
        "Log lines",
        """One line per event on standard error or in `FASTAGI_LOG_FILE`: JSON, or text on a
terminal (`FASTAGI_LOG_FORMAT`). Each also has `level`, `timestamp` (UTC) and `logger`, which begins
with `sge.voip`; lines about a call have `unique_id`, `linked_id` and `call` as far as these are
known. An `exception` has the level `error` and a field `exception` with the trace. Lines that come
faster than they can be written are dropped and counted in `sge_voip_drops_total{what="log_line"}`.
A secret is never in a line; numbers and names are masked unless `FASTAGI_LOG_PERSONAL_DATA` is
`show`: see
[Read and keep the log](../how-to/logs.md).""",
        table(
            ("Level", "Event", "Fields", "From"),
            ((level, code(event), fields, where) for level, event, fields, where in lines),
        ),
    )


def _lines() -> Iterator[tuple[str, str, str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if SHIPPED_DOUBLES in path.relative_to(PACKAGE).parts:
            continue
        where = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (found := _line(node)):
                yield *found, where


def _line(call: ast.Call) -> tuple[str, str, str] | None:
    match call.func, call.args:
        case (
            ast.Attribute(
                value=ast.Name(id=logger) | ast.Call(func=ast.Name(id=logger)), attr=level
            ),
            [ast.Constant(value=str(event))],
        ) if logger in LOGGERS and level in LEVELS:
            named = sorted(keyword.arg for keyword in call.keywords if keyword.arg)
            others = ["..."] if any(keyword.arg is None for keyword in call.keywords) else []
            return level, event, ", ".join([*map(code, named), *others])
        case _:
            return None
