"""The log file: appended to, rotated by the real logrotate, unharmed by a full disk."""

import errno
import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fastagi_server.telemetry.log_file import Descriptor, LogFile
from fastagi_server.telemetry.measures import Counter
from lab.programs import why_not

ROOT = Path(__file__).parents[3]


class Memory:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.lines = b""

    def write(self, lines: bytes) -> None:
        """Keep them."""
        self.lines += lines


class Stage:
    """A log file with its surroundings; `now` is the clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fallback = Memory()
        self.drops = Counter()
        self.now = 100.0
        self.file = LogFile(path, fallback=self.fallback, drops=self.drops, clock=lambda: self.now)

    @property
    def diverted(self) -> float:
        """Lines counted that the file did not take."""
        return self.drops.values[("log_file_line",)]


@pytest.fixture
def stage(tmp_path: Path) -> Generator[Stage]:
    """A log file in a folder of its own."""
    stage = Stage(tmp_path / "api.log")
    yield stage
    stage.file.close()


def test_lines_are_appended(stage: Stage) -> None:
    """What was there stays; the file may be read by its group, and by nobody else."""
    stage.path.write_bytes(b"old\n")
    stage.file.write(b"one\n")
    stage.file.write(b"two\nthree\n")
    assert stage.path.read_bytes() == b"old\none\ntwo\nthree\n"
    assert (stage.fallback.lines, stage.diverted) == (b"", 0.0)


@pytest.mark.parametrize("mask", [0, 0o077])
def test_a_new_file_is_not_for_everybody(stage: Stage, mask: int) -> None:
    """Its owner writes, its group reads, whatever the mask of the service is."""
    before = os.umask(mask)
    try:
        stage.file.write(b"one\n")
    finally:
        os.umask(before)
    assert stage.path.stat().st_mode & 0o777 == 0o640


def rename(path: Path) -> None:
    """What logrotate does first."""
    path.rename(f"{path}.1")


@pytest.mark.parametrize("disturb", [os.unlink, rename])
def test_a_file_that_is_gone_is_made_again(stage: Stage, disturb: Callable[[Path], None]) -> None:
    """Renamed or deleted: the next lines go into a new file, and no signal is needed."""
    stage.file.write(b"one\n")
    disturb(stage.path)
    stage.file.write(b"two\n")
    assert stage.path.read_bytes() == b"two\n"


def test_a_file_that_was_replaced(stage: Stage) -> None:
    """Somebody else made the new file already."""
    stage.file.write(b"one\n")
    stage.path.rename(f"{stage.path}.1")
    stage.path.write_bytes(b"")
    stage.file.write(b"two\n")
    assert stage.path.read_bytes() == b"two\n"


def test_a_file_that_was_cut_short(stage: Stage) -> None:
    """After `copytruncate` lines begin at the start, without a hole."""
    stage.file.write(b"one\n")
    os.truncate(stage.path, 0)
    stage.file.write(b"two\n")
    assert stage.path.read_bytes() == b"two\n"


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Lines go to the fallback and are counted; it is said once; a second later all is well."""
    stage = Stage(tmp_path / "missing" / "api.log")
    with capture_logs() as logs:
        stage.file.write(b"one\ntwo\n")
        stage.path.parent.mkdir()
        stage.file.write(b"three\n")
        stage.now += 1.0
        stage.file.write(b"four\n")
        stage.file.write(b"five\n")
    assert stage.fallback.lines == b"one\ntwo\nthree\n"
    assert stage.diverted == 3.0
    assert stage.path.read_bytes() == b"four\nfive\n"
    assert logs == [
        {
            "event": "log_file_unwritable",
            "log_level": "error",
            "path": str(stage.path),
            "reason": "No such file or directory",
        },
        {
            "event": "log_file_writable_again",
            "log_level": "warning",
            "path": str(stage.path),
        },
    ]
    stage.file.close()


def test_a_file_that_stays_broken_is_said_once(tmp_path: Path) -> None:
    """Every second another try, and no further line."""
    stage = Stage(tmp_path / "missing" / "api.log")
    with capture_logs() as logs:
        for _ in range(5):
            stage.file.write(b"line\n")
            stage.now += 1.0
    assert len(logs) == 1
    assert stage.diverted == 5.0


def test_a_full_disk() -> None:
    """The kernel's own full device: nothing raised, nothing lost."""
    stage = Stage(Path("/dev/full"))
    stage.file.write(b"one\n")
    assert stage.fallback.lines == b"one\n"
    assert stage.diverted == 1.0
    stage.file.close()


def test_a_disk_that_fills_up_within_a_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The torn line is repeated whole, and what comes later begins a line of its own."""
    write = os.write
    room = [8]

    def filling(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", filling)
    stage.file.write(b"first\nsecond\nthird\n")
    assert stage.fallback.lines == b"second\nthird\n"
    assert stage.diverted == 2.0
    stage.now += 1.0
    stage.file.write(b"fourth\n")  # still full
    assert stage.fallback.lines == b"second\nthird\nfourth\n"
    room[0] = 1000
    stage.now += 1.0
    stage.file.write(b"fifth\n")
    assert stage.path.read_bytes() == b"first\nse\nfifth\n"


def test_a_torn_line_stays_behind_with_its_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file begins with a line and not with the end of the old file's last one."""
    write = os.write
    calls = iter([2])

    def failing(descriptor: int, data: bytes) -> int:
        count = next(calls, None)
        if count is None:
            raise OSError(errno.EIO, "Input/output error")
        return write(descriptor, data[:count])

    monkeypatch.setattr(os, "write", failing)
    stage.file.write(b"first\n")
    monkeypatch.undo()
    stage.path.unlink()
    stage.now += 1.0
    stage.file.write(b"second\n")
    assert stage.path.read_bytes() == b"second\n"


def test_nobody_reads_the_descriptor() -> None:
    """A broken pipe is no error of the program."""
    reading, writing = os.pipe()
    os.close(reading)
    Descriptor(writing).write(b"to nobody\n")
    os.close(writing)


def logrotate() -> str:
    """Debian's logrotate."""
    reason = why_not("logrotate")
    if reason:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return "logrotate"


def test_logrotate(stage: Stage) -> None:
    """The sample, as far as it can be followed without its user, loses and repeats no line."""
    program = logrotate()
    sample = (ROOT / "systemd" / "logrotate").read_text()
    folder = stage.path.parent
    folder.chmod(0o755)
    ours = sample.replace("/var/log/sge/*.log", str(stage.path))
    ours = ours.replace("create 0640 fastagi adm", "create 0640")
    ours = "\n".join(line for line in ours.splitlines() if not line.strip().startswith("su "))
    assert str(stage.path) in ours
    configuration = folder / "logrotate.conf"
    configuration.write_text(ours)
    configuration.chmod(0o644)
    for number in range(1, 5):
        stage.file.write(b"line %d\n" % number)
        subprocess.run([program, "--force", "--state", folder / "state", configuration], check=True)
    stage.file.write(b"line 5\n")
    assert stage.path.read_bytes() == b"line 5\n"
    assert (folder / "api.log.1").read_bytes() == b"line 4\n"
    older = [
        subprocess.run(["gzip", "-dc", folder / f"api.log.{n}.gz"], capture_output=True, check=True)
        for n in (2, 3, 4)
    ]
    assert [run.stdout for run in older] == [b"line 3\n", b"line 2\n", b"line 1\n"]
    assert (stage.fallback.lines, stage.diverted) == (b"", 0.0)


def test_the_real_logrotate_accepts_the_sample(tmp_path: Path) -> None:
    """Without a word of complaint, but for the user that only the installation makes."""
    sample = (ROOT / "systemd" / "logrotate").read_text().replace("fastagi adm", "root root")
    configuration = tmp_path / "logrotate.conf"
    configuration.write_text(sample)
    configuration.chmod(0o644)
    run = subprocess.run(
        [logrotate(), "--debug", "--state", tmp_path / "state", configuration],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "error" not in run.stderr.lower()
    assert "/var/log/sge/*.log" in run.stderr
