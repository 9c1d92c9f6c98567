"""A write-ahead log that was being written when the power failed."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.registration.models import Registration
from fastagi_server.telemetry.measures import Measures

FRAME_BYTES = 24 + 4096
"""Of SQLite's log: a header and one page."""

TEARS: dict[str, Callable[[bytes], bytes]] = {
    "byte missing": lambda log: log[:-1],
    "frame missing": lambda log: log[:-FRAME_BYTES],
    "byte wrong": lambda log: log[:-1] + bytes([log[-1] ^ 0xFF]),
}
"""What may have become of the last commit."""


def registration(number: int) -> Registration:
    """One of many calls."""
    return Registration("pbx1", f"17.{number}", "", "", "", "", "", "", ("SIP/1001",), "audio")


async def copy_after(path: Path, appends: int) -> Path:
    """Append, and copy the files as they are on the disk while the outbox is still open."""
    copy = path.with_name("copy.db")
    async with open_outbox(path, measures=Measures()) as outbox:
        for number in range(appends):
            await outbox.append(registration(number))
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    return copy


async def keys(path: Path) -> list[str]:
    """What the outbox holds after it was opened by a successor."""
    async with open_outbox(path, measures=Measures()) as outbox:
        return [letter.key for letter in await outbox.pending_letters()]


def expected(count: int) -> list[str]:
    """The keys of the first calls."""
    return [f"agi-pbx1-17.{number}" for number in range(count)]


@pytest.mark.parametrize(
    "tail", [b"\0", b"\xff" * FRAME_BYTES, b"\0" * 10 * FRAME_BYTES], ids=["byte", "frame", "zeros"]
)
def test_a_torn_write_after_the_last_commit_costs_nothing(tmp_path: Path, tail: bytes) -> None:
    """What was acknowledged is there, whatever stands behind it in the log."""
    copy = asyncio.run(copy_after(tmp_path / "outbox.db", 5))
    with Path(f"{copy}-wal").open("ab") as log:
        log.write(tail)
    assert asyncio.run(keys(copy)) == expected(5)


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_commit_is_no_commit(tmp_path: Path, tear: str) -> None:
    """The append that nobody was told of is undone as a whole; those before it are there."""
    copy = asyncio.run(copy_after(tmp_path / "outbox.db", 5))
    log = Path(f"{copy}-wal")
    log.write_bytes(TEARS[tear](log.read_bytes()))
    assert asyncio.run(keys(copy)) == expected(4)


def test_a_lost_index_of_the_log_is_made_again(tmp_path: Path) -> None:
    """The shared memory beside the log is no part of the truth: garbage in it does no harm."""
    copy = asyncio.run(copy_after(tmp_path / "outbox.db", 5))
    Path(f"{copy}-shm").write_bytes(b"\xff" * 32768)
    assert asyncio.run(keys(copy)) == expected(5)
