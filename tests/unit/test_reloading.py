"""SIGHUP: what is taken over, what waits for a restart, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from fastagi_server.reloading import RELOADABLE, Reloading
from fastagi_server.settings import Settings, SettingsError
from fastagi_server.telemetry import levels


@pytest.fixture(autouse=True)
def level(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The levels that were set, instead of setting them for all tests to come."""
    given: list[str] = []
    monkeypatch.setattr("fastagi_server.reloading.set_level", given.append)
    assert callable(levels.set_level)
    return given


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with nothing wrong, but for what is given."""

    def make(**given: Any) -> Settings:
        values: dict[str, Any] = {
            "sge_api_url": "http://127.0.0.1:9",
            "sge_api_key": "key",
            "fastagi_state_dir": tmp_path,
            **given,
        }
        return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]

    return make


def test_what_is_reloadable_is_a_setting() -> None:
    """Every name is that of a setting."""
    assert RELOADABLE - set(Settings.model_fields) == set()


async def test_settings_are_taken_over(made: Callable[..., Settings], level: list[str]) -> None:
    """What can change is applied; what cannot stays as it is, and is named."""
    applied: list[Settings] = []
    wanted = made(fastagi_max_sessions=7, fastagi_log_level="debug", sge_deadline_seconds=3.0)
    reloading = Reloading(made(), read=lambda: wanted, apply=applied.append)
    with capture_logs() as logs:
        await reloading.reload()
    assert [entry["event"] for entry in logs] == ["reloaded", "restart_needed"]
    assert logs[0]["changed"] == ["FASTAGI_LOG_LEVEL", "FASTAGI_MAX_SESSIONS"] or logs[0][
        "changed"
    ] == ["FASTAGI_MAX_SESSIONS", "FASTAGI_LOG_LEVEL"]
    assert logs[1]["settings"] == ["SGE_DEADLINE_SECONDS"]
    assert applied == [reloading.settings]
    assert reloading.settings.fastagi_max_sessions == 7
    assert reloading.settings.sge_deadline_seconds == 2.0
    assert level == ["debug"]


async def test_nothing_has_changed(made: Callable[..., Settings]) -> None:
    """The same settings again are applied, for what is looked at besides them."""
    applied: list[Settings] = []
    reloading = Reloading(made(), read=made, apply=applied.append)
    with capture_logs() as logs:
        await reloading.reload()
    assert [(entry["event"], entry["changed"]) for entry in logs] == [("reloaded", [])]
    assert len(applied) == 1


def unreadable() -> Settings:
    """Settings that cannot be read."""
    raise SettingsError("PORT: Input should be a valid integer")


async def test_settings_that_cannot_be_read(
    made: Callable[..., Settings], level: list[str]
) -> None:
    """Nothing is applied, and the log says why; in a process without a loop too."""
    applied: list[Settings] = []
    reloading = Reloading(made(), read=unreadable, apply=applied.append)
    with capture_logs() as logs:
        await reloading.reload()
        reloading.reload_now()
    assert [entry["event"] for entry in logs] == ["reload_refused", "reload_refused"]
    assert logs[0]["reason"] == "PORT: Input should be a valid integer"
    assert (applied, level) == ([], [])


async def test_settings_with_faults(made: Callable[..., Settings]) -> None:
    """What would stop a start is refused, though the addresses in use are no fault."""
    wanted = made(fastagi_on_error={"nosuch": "failure"}, fastagi_max_sessions=7)
    reloading = Reloading(made(), read=lambda: wanted, apply=lambda _: None)
    with capture_logs() as logs:
        await reloading.reload()
    assert logs[0]["reason"] == "FASTAGI_ON_ERROR: on_error names no route: nosuch"
    assert reloading.settings.fastagi_max_sessions == 10_000


def open_door(_: Settings) -> None:
    """A process that cannot live with the settings."""
    raise ValueError("refusing to listen on 0.0.0.0")


def test_settings_that_the_process_refuses(made: Callable[..., Settings], level: list[str]) -> None:
    """What the process cannot apply is refused as a whole."""
    running = made()
    reloading = Reloading(running, read=lambda: made(fastagi_max_sessions=7), apply=open_door)
    with capture_logs() as logs:
        reloading.reload_now()
    assert logs == [
        {"event": "reload_refused", "log_level": "error", "reason": "refusing to listen on 0.0.0.0"}
    ]
    assert reloading.settings is running
    assert level == []
