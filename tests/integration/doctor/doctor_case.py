"""What the doctor finds with settings of a test."""

import socket
from pathlib import Path
from typing import Any

import jwt

from fastagi_server.doctor.case import Case
from fastagi_server.doctor.examination import reports_of
from fastagi_server.doctor.findings import Finding
from fastagi_server.settings import Settings

SECRET = "a secret that is long enough for a signature"


def settings_of(folder: Path, **given: Any) -> Settings:
    """Settings that nothing is wrong with, but for what is given."""
    values: dict[str, Any] = {
        "fastagi_listen": "127.0.0.1:0",
        "port": 0,
        "fastagi_state_dir": folder,
        **given,
    }
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]  # pydantic's own


async def found(settings: Settings, group: str, *, seconds: float = 8.0) -> list[Finding]:
    """All that one group of looks finds."""
    reports = await reports_of(Case(settings), [group], seconds=seconds)
    return [finding for report in reports for finding in report.findings]


def told(findings: list[Finding], subject: str) -> list[tuple[str, str]]:
    """Level and reason of what was found of a subject."""
    return [(f.level.word, f.why) for f in findings if f.subject == subject]


def token(**claims: Any) -> str:
    """A signed token with these claims."""
    return jwt.encode(claims, SECRET, algorithm="HS256")


def silent_socket() -> socket.socket:
    """A socket that takes connections, as far as the system does, and never says a word."""
    return socket.create_server(("127.0.0.1", 0))


def port_of(listener: socket.socket) -> int:
    """Where it listens."""
    port: int = listener.getsockname()[1]
    return port
