"""The service as a process of its own: started, spoken to, told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class ServiceProcess:
    """`python -m fastagi_server ...`; its output is gathered line by line."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.output: list[str] = []

    @property
    def pid(self) -> int:
        """Process id of the parent."""
        return self.process.pid

    async def line(self, text: str) -> str:
        """Read on up to the line that holds `text`; fails when it never comes."""
        assert self.process.stderr is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while line := (await self.process.stderr.readline()).decode():
                    self.output.append(line)
                    if text in line:
                        return line
        raise AssertionError(f"no {text!r} in:\n{self.text}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the parent."""
        self.process.send_signal(number)

    async def end(self) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, rest = await self.process.communicate()
        self.output.append(rest.decode())
        assert self.process.returncode is not None
        return self.process.returncode

    @property
    def text(self) -> str:
        """All output so far."""
        return "".join(self.output)


def environment(folder: Path, port: int, given: Mapping[str, str]) -> dict[str, str]:
    """Settings of a process: own port and folder, nothing of this process's environment."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "FASTAGI_LISTEN": f"127.0.0.1:{port}",
        "FASTAGI_STATE_DIR": str(folder / "state"),
        "FASTAGI_SYSTEM_NAME": "pbx",
        "FASTAGI_LOG_FORMAT": "json",
        "PORT": "0",
        **given,
    }


@asynccontextmanager
async def process(folder: Path, *arguments: str, **given: str) -> AsyncGenerator[ServiceProcess]:
    """The program with `given` settings, in a session of its own, killed at the end."""
    port = free_port()
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fastagi_server",
        *(arguments or ("run",)),
        cwd=folder,
        env=environment(folder, port, given),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield ServiceProcess(running, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # the workers too
        await running.communicate()
