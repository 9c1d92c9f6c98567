"""The last warnings and errors of the log."""

import logging
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog

from fastagi_server.telemetry.logs import configure_logs
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Counter
from fastagi_server.telemetry.recent import MAX_DETAIL, RecentLine, RecentLines


def line(event: str, level: str = "warning", **fields: object) -> dict[str, object]:
    """The fields of a finished line."""
    return {"event": event, "level": level, "timestamp": "T", "logger": "sge.voip", **fields}


def test_newest_first() -> None:
    """Warnings and errors are kept, the newest first, and nothing below them."""
    lines = RecentLines(limit=2)
    for event, level in (("a", "warning"), ("b", "info"), ("c", "error"), ("d", "critical")):
        lines.note(line(event, level, code="x", count=2))
    assert lines.newest_first() == (
        RecentLine(3, "T", "critical", "d", "code=x count=2"),
        RecentLine(2, "T", "error", "c", "code=x count=2"),
    )


def test_repeated_lines_are_counted() -> None:
    """A line that is said again in a row is one line."""
    lines = RecentLines()
    for code in ("x", "x", "y", "x"):
        lines.note(line("a", code=code))
    assert [(each.detail, each.times) for each in lines.newest_first()] == [
        ("code=x", 1),
        ("code=y", 1),
        ("code=x", 2),
    ]


def test_long_lines_are_cut() -> None:
    """A line takes little room, and its trace none."""
    lines = RecentLines()
    lines.note(line("a" * 1000, reason="b" * 1000, exception="Traceback"))
    (kept,) = lines.newest_first()
    assert (len(kept.event), len(kept.detail)) == (MAX_DETAIL, MAX_DETAIL)


@pytest.fixture
def restored() -> Generator[None]:
    """What logging was before is restored at the end."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_they_come_from_the_log_masked(tmp_path: Path, restored: None) -> None:
    """What the log masks is masked here."""
    lines = RecentLines()
    with (tmp_path / "log").open("w") as stream:
        masker = Masker(key=b"0" * 16, secrets=["hunter22"])
        writer = configure_logs(
            "info", "json", Counter(), stream=stream, masker=masker, recent=lines
        )
        log = structlog.stdlib.get_logger("test")
        log.info("quiet")
        log.error("loud", reason="hunter22 of +49 30 901820")
        writer.close()
    (kept,) = lines.newest_first()
    assert kept.event == "loud"
    assert kept.detail == "reason=******** of ***20#523b08"


def test_a_masker_of_their_own(tmp_path: Path, restored: None) -> None:
    """What the log shows is masked here where the board shall not show it, and only here."""
    masker = Masker(key=b"0" * 16, personal=False)
    lines = RecentLines(masker=masker.strict())
    with (tmp_path / "log").open("w") as stream:
        writer = configure_logs(
            "info", "json", Counter(), stream=stream, masker=masker, recent=lines
        )
        structlog.stdlib.get_logger("test").error("loud", number="+49 30 901820", room="a1")
        logging.getLogger("library").error("nobody at +49 30 901820")
        writer.close()
    assert [(each.event, each.detail) for each in lines.newest_first()] == [
        ("nobody at ***20#523b08", ""),
        ("loud", "number=***20#523b08 room=a1"),
    ]
    assert (tmp_path / "log").read_text().count("+49 30 901820") == 2
