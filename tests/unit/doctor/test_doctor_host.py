"""The machine: unit, open files, disks, ports of audio and clocks, by their figures."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fastagi_server.doctor.clocks import compared
from fastagi_server.doctor.findings import Finding
from fastagi_server.doctor.host import disk_space, open_files, unit_state
from fastagi_server.doctor.media import rtp_range

MIB = 1024 * 1024
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def short(finding: Finding) -> tuple[str, str]:
    """Level and reason."""
    return finding.level.word, finding.why


@pytest.mark.parametrize(
    ("shown", "level", "why"),
    [
        (
            {"LoadState": "loaded", "ActiveState": "active", "SubState": "running"},
            "ok",
            "fastagi-server.service is active (running)",
        ),
        (
            {
                "LoadState": "loaded",
                "ActiveState": "active",
                "SubState": "running",
                "NRestarts": "3",
            },
            "warn",
            "fastagi-server.service is active (running), started again 3 times",
        ),
        (
            {"LoadState": "loaded", "ActiveState": "failed", "Result": "watchdog"},
            "fail",
            "fastagi-server.service has failed: watchdog",
        ),
        (
            {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead"},
            "warn",
            "fastagi-server.service is inactive (dead)",
        ),
        ({"LoadState": "not-found"}, "warn", "fastagi-server.service is not installed"),
        ({}, "warn", "fastagi-server.service is not installed"),
    ],
)
def test_unit(shown: dict[str, str], level: str, why: str) -> None:
    """What systemctl shows, in a line."""
    assert short(unit_state(shown)) == (level, why)


@pytest.mark.parametrize(
    ("limit", "sessions", "level"),
    [(10_500, 10_000, "ok"), (10_499, 10_000, "warn"), (-1, 10_000, "ok"), (1024, 500, "ok")],
)
def test_open_files(limit: int, sessions: int, level: str) -> None:
    """Each session is a file, and there are others."""
    assert open_files(limit, "the service's", sessions).level.word == level


@pytest.mark.parametrize(
    ("free", "is_writable", "level", "why"),
    [
        (1000 * MIB, True, "ok", "1000 MiB are free"),
        (1000 * MIB, False, "warn", "is not writable by this user"),
        (255 * MIB, True, "warn", "255 MiB are free"),
        (15 * MIB, True, "fail", "is full: 15 MiB are free"),
    ],
)
def test_disks(free: int, is_writable: bool, level: str, why: str) -> None:  # noqa: FBT001
    """A disk that fills is told before it is full."""
    assert short(disk_space(Path("/x"), free, is_writable=is_writable)) == (level, why)


@pytest.mark.parametrize(
    ("general", "levels"),
    [
        ({}, ["ok"]),
        ({"rtpstart": "10000", "rtpend": "20000"}, ["ok"]),
        ({"rtpstart": "10000", "rtpend": "10099"}, ["warn"]),
        ({"rtpstart": "20000", "rtpend": "10000"}, ["fail"]),
        ({"rtpstart": "ten"}, ["fail"]),
        ({"rtpstart": "30000", "rtpend": "40000"}, ["ok", "warn"]),
    ],
)
def test_rtp_range(general: Mapping[str, str], levels: list[str]) -> None:
    """Too few ports, none, and those that other programs get."""
    assert [f.level.word for f in rtp_range(general, (32768, 60999))] == levels


def test_rtp_range_without_a_kernel_that_tells() -> None:
    """Where nobody knows which ports other programs get, nothing is said of them."""
    assert len(list(rtp_range({"rtpstart": "30000", "rtpend": "40000"}, None))) == 1


@pytest.mark.parametrize(
    ("seconds", "slack", "level"),
    [(0, 0, "ok"), (3, 0, "ok"), (4, 0, "warn"), (-4, 0, "warn"), (4, 2, "ok"), (61, 0, "fail")],
)
def test_clocks(seconds: float, slack: float, level: str) -> None:
    """A difference counts beyond what the answer's own way may have made of it."""
    theirs = NOON + timedelta(seconds=seconds)
    assert compared("Asterisk", theirs, NOON, slack=slack).level.word == level
