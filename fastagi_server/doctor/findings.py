"""What a look finds: a level, why, and the command that mends it."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is; also the exit code of a doctor that found nothing worse."""

    OK = 0
    WARN = 1
    FAIL = 2

    @property
    def word(self) -> str:
        """`ok`, `warn` or `fail`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: of `subject`, `why` it is at this level, and `fix`, a command; empty when ok."""

    level: Level
    subject: str
    why: str
    fix: str = ""


Findings = AsyncIterator[Finding]


@dataclass(frozen=True, slots=True)
class Report:
    """What the looks of one group found, in their order."""

    group: str
    findings: tuple[Finding, ...]


def ok(subject: str, why: str) -> Finding:
    """It is well."""
    return Finding(Level.OK, subject, why)


def warn(subject: str, why: str, fix: str) -> Finding:
    """It works, or is not looked at, and is probably not meant so."""
    return Finding(Level.WARN, subject, why, fix)


def fail(subject: str, why: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, subject, why, fix)


def worst(reports: Iterable[Report]) -> Level:
    """The worst level in all of them."""
    return max((f.level for report in reports for f in report.findings), default=Level.OK)


def rewritten(report: Report, rewrite: Callable[[str], str]) -> Report:
    """The same with every text rewritten."""
    return Report(
        report.group,
        tuple(
            Finding(f.level, rewrite(f.subject), rewrite(f.why), rewrite(f.fix))
            for f in report.findings
        ),
    )
