"""What a doctor finds in a real Asterisk that was put out of order for a test."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastagi_server.doctor.case import SNMPD_CONF, Case
from fastagi_server.doctor.examination import examine
from fastagi_server.doctor.findings import Finding
from fastagi_server.settings import Settings
from lab.asterisk import Asterisk
from lab.processes import wait_until

AGI_PORT = 4573
"""What the shipped dialplan asks, and the settings of these tests listen on."""


def settings_for(asterisk: Asterisk, **changes: Any) -> Settings:
    """Settings of a service that leads and watches this Asterisk, but for what is changed."""
    values: dict[str, Any] = {
        "fastagi_listen": f"127.0.0.1:{AGI_PORT}",
        "port": 0,
        "fastagi_state_dir": asterisk.folder,
        "asterisk_ari_url": f"http://127.0.0.1:{asterisk.ports.http}",
        "asterisk_ari_password": asterisk.passwords["ari"],
        "asterisk_ami_host": "127.0.0.1",
        "asterisk_ami_port": asterisk.ports.ami,
        "asterisk_ami_secret": asterisk.passwords["ami"],
        **changes,
    }
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]  # pydantic's own


def findings(settings: Settings, group: str, *, snmpd_conf: Path = SNMPD_CONF) -> list[Finding]:
    """All that one group of looks finds."""
    return [
        finding
        for report in examine(Case(settings, snmpd_conf), [group])
        for finding in report.findings
    ]


def told(found: list[Finding], subject: str) -> list[tuple[str, str]]:
    """Level and reason of what was found of a subject."""
    return [(finding.level.word, finding.why) for finding in found if finding.subject == subject]


def bad(found: list[Finding]) -> list[tuple[str, str, str]]:
    """Level, subject and reason of what is not well."""
    return [(f.level.word, f.subject, f.why) for f in found if f.level.word != "ok"]


@contextmanager
def edited(asterisk: Asterisk, name: str, old: str, new: str, *reloads: str) -> Generator[None]:
    """Have another text in a file of the configuration, and commands run after each change."""
    file = asterisk.folder / "etc" / name
    text = file.read_text()
    assert text.count(old) == 1, (name, old)
    try:
        file.write_text(text.replace(old, new))
        _run(asterisk, reloads)
        yield
    finally:
        file.write_text(text)
        _run(asterisk, reloads)


@contextmanager
def done(asterisk: Asterisk, command: str, undo: str) -> Generator[None]:
    """Have a command of the console done, and taken back."""
    asterisk.cli(command)
    try:
        yield
    finally:
        asterisk.cli(undo)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what a reload brings about."""
    assert wait_until(condition, 10)


def _run(asterisk: Asterisk, commands: tuple[str, ...]) -> None:
    for command in commands:
        asterisk.cli(command)
