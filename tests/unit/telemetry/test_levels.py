"""The level of log lines, changed while loggers are in use."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.typing import EventDict

from fastagi_server.telemetry.levels import LeveledLogger, leveled_logger, set_level


@pytest.fixture
def lines() -> Iterator[list[tuple[str, str]]]:
    """What is logged by loggers of the class, as method and event."""
    logged: list[tuple[str, str]] = []

    def keep(_logger: object, method: str, event: EventDict) -> EventDict:
        logged.append((method, event["event"]))
        raise structlog.DropEvent

    before, root = structlog.get_config(), logging.getLogger().level
    structlog.configure(
        processors=[keep], wrapper_class=leveled_logger(), cache_logger_on_first_use=False
    )
    yield logged
    structlog.configure(**before)
    logging.getLogger().setLevel(root)


def test_a_logger_that_is_there_already(lines: list[tuple[str, str]]) -> None:
    """One that was made at one level follows to another, down and up."""
    set_level("info")
    log = structlog.stdlib.get_logger().bind()
    assert type(log) is LeveledLogger
    log.debug("quiet")
    log.info("said")
    set_level("debug")
    log.debug("now said")
    set_level("error")
    log.warning("quiet")
    log.error("an error")
    assert lines == [("info", "said"), ("debug", "now said"), ("error", "an error")]


def test_numbers_and_exceptions(lines: list[tuple[str, str]]) -> None:
    """`log` with a number and `exception` obey the level too."""
    set_level("warning")
    log = structlog.stdlib.get_logger().bind()
    log.log(logging.INFO, "quiet")
    log.log(logging.ERROR, "an error")
    fail(log)
    assert lines == [("error", "an error"), ("error", "a mistake")]


def fail(log: structlog.stdlib.BoundLogger) -> None:
    """Log an exception that was caught."""
    try:
        int("no number")
    except ValueError:
        log.exception("a mistake")


@pytest.mark.parametrize(("level", "root"), [("debug", 30), ("warning", 30), ("error", 40)])
def test_libraries_are_never_chatty(lines: list[tuple[str, str]], level: str, root: int) -> None:
    """What libraries log below a warning is left out at every level."""
    set_level(level)
    assert logging.getLogger().level == root
