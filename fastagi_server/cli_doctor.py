"""`fastagi-server doctor`: what keeps the service from working, and the command that mends it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastagi_server import __version__
from fastagi_server.pictures.words import plain
from fastagi_server.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from fastagi_server.doctor.findings import Finding, Report

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
LEVEL_WIDTH = 6


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@click.option("--skip", multiple=True, metavar="GROUP", help="Leave this group out.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option(
    "--snmpd-conf",
    type=click.Path(path_type=Path),
    default=Path("/etc/snmp/snmpd.conf"),
    show_default=True,
    help="snmpd's own settings; those of the folder .d beside it are read, too.",
)
def doctor(
    groups: tuple[str, ...],
    skip: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - a flag
    snmpd_conf: Path,
) -> None:
    """Look for what keeps the service from working, and say how to mend it.

    GROUP is one of configuration, network, sge, store, ari, ami, dialplan, media, certificates,
    clocks, snmp and host; without one all are looked at, within ten seconds. Nothing is changed.
    Ends with 0 when all is well, 1 when something should be looked at, 2 when something is broken.
    """
    from fastagi_server.doctor.case import Case  # noqa: PLC0415 - `--help` needs none of it
    from fastagi_server.doctor.examination import GROUPS, examine  # noqa: PLC0415
    from fastagi_server.doctor.findings import worst  # noqa: PLC0415

    unknown = [name for name in (*groups, *skip) if name not in GROUPS]
    if unknown:
        raise click.UsageError(f"there is no group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    try:
        settings = load_settings()
    except SettingsError as error:
        reports = [_unusable(error)]
    else:
        names = [name for name in groups or GROUPS if name not in skip]
        reports = examine(Case(settings, snmpd_conf), names)
    level = worst(reports)
    if as_json:
        click.echo(json.dumps(_document(reports, level.word), indent=2))
    else:
        for line in _lines(reports):
            click.echo(line)
    sys.exit(int(level))


def _unusable(error: SettingsError) -> "Report":
    from fastagi_server.doctor.findings import Report, fail  # noqa: PLC0415

    findings = [fail("settings", line, "fastagi-server check") for line in str(error).splitlines()]
    return Report("configuration", tuple(findings))


def _document(reports: "list[Report]", level: str) -> dict[str, object]:
    return {
        "level": level,
        "version": __version__,
        "findings": [
            {
                "group": report.group,
                "level": finding.level.word,
                "subject": finding.subject,
                "why": finding.why,
                "fix": finding.fix or None,
            }
            for report in reports
            for finding in report.findings
        ],
    }


def _lines(reports: "list[Report]") -> list[str]:
    """Grouped and aligned; click takes the colours away where there is no terminal.

    Peers' own words are among them, which must not steer it.
    """
    findings = [finding for report in reports for finding in report.findings]
    width = max((len(finding.subject) for finding in findings), default=0)
    lines: list[str] = []
    for report in reports:
        lines.append(click.style(report.group, bold=True))
        for finding in report.findings:
            lines += _lines_of(finding, width)
    counts = {word: sum(f.level.word == word for f in findings) for word in COLOURS}
    return [*lines, "", ", ".join(f"{count} {word}" for word, count in counts.items())]


def _lines_of(finding: "Finding", width: int) -> list[str]:
    word = finding.level.word
    level = click.style(f"{word:{LEVEL_WIDTH}}", fg=COLOURS[word])
    lines = [f"  {level}{plain(finding.subject):{width}}  {plain(finding.why)}"]
    if finding.fix:
        lines.append(f"  {'':{LEVEL_WIDTH}}{'':{width}}  fix: {plain(finding.fix)}")
    return lines
