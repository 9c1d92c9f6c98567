"""Child processes: each started and stopped by its own id, each wait with a deadline."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

START_SECONDS = 15.0
STOP_SECONDS = 10.0

_LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")


class BenchmarkError(Exception):
    """A program of the benchmark did not do its part; the text says which and why."""


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A child's environment: a few harmless names of ours and `extra`.

    Nothing else is handed on, so that a setting of the shell (such as a switch against byte
    code, which makes each start of Python compile its modules anew) cannot change a figure.
    """
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | dict(extra)


@contextlib.contextmanager
def running(
    command: Sequence[str], *, extra: Mapping[str, str], log: Path, cwd: Path
) -> Generator[subprocess.Popen[bytes]]:
    """Run `command` with its output in `log`; stop it, and all it started, on the way out."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(extra),
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
    # its session has its id as process group: what it started and left behind goes too
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when somebody listens on `port`.

    It asks the kernel and does not connect, because a connection is a session to the server.
    Raises BenchmarkError when the process ends or START_SECONDS pass.
    """
    deadline = time.monotonic() + START_SECONDS
    while not _is_listening(port):
        if process.poll() is not None:
            raise BenchmarkError(f"{process.args!r} ended: {log.read_text()[-2000:]}")
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{process.args!r} does not listen: {log.read_text()[-2000:]}")
        time.sleep(0.02)


def _is_listening(port: int) -> bool:
    suffix = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[1].endswith(suffix):
                return True
    return False


def resident_kib(pid: int) -> int:
    """Resident memory of one process, KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise BenchmarkError(f"process {pid} has no resident memory")
