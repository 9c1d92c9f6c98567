"""What the scenarios found, as text for the terminal and as the Markdown report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_PREFACE = (
    "Written by `make bench`. Every figure is from one run on one machine, whose servers took "
    "turns: compare the ratios, not the microseconds."
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise of the project and what was measured."""

    name: str
    limit: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One scenario's table, the bars it decides, and what a reader must know about it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    bars: tuple[Bar, ...] = field(default=())


def terminal(section: Section) -> str:
    """The section in columns."""
    lines = [f"== {section.title}", *_columns(section.header, section.rows)]
    lines += [
        f"   {_verdict(bar)}: {bar.name}: {bar.measured} ({bar.limit})" for bar in section.bars
    ]
    return "\n".join(lines) + "\n"


def markdown(machine: Sequence[tuple[str, str]], sections: Iterable[Section]) -> str:
    """The whole report: bars first, then each table, then the machine."""
    measured = list(sections)
    parts = [
        "# Benchmark report",
        _PREFACE,
        "## Bars",
        _table(
            ("bar", "limit", "measured", ""),
            [
                (bar.name, bar.limit, bar.measured, _verdict(bar))
                for section in measured
                for bar in section.bars
            ],
        ),
    ]
    for section in measured:
        parts += [f"## {section.title}", section.note, _table(section.header, section.rows)]
    parts += ["## Machine", _table(("what", "which"), machine)]
    return "\n\n".join(parts) + "\n"


def _verdict(bar: Bar) -> str:
    return "met" if bar.met else "NOT MET"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    marks = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, marks, *rows))


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return [
        "   "
        + row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in table
    ]
