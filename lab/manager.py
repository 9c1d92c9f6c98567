"""A service manager on loopback: keeps the sockets, starts the service, hears what it says.

async with managed(folder, SGE_API_URL=...) as manager:
    await manager.start()
    ...  # calls to manager.port
    await manager.stop()
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lab.errors import CommandError, StartError

PATIENCE_SECONDS = 30.0
CHECKOUT = Path(__file__).parents[1]

START = (sys.executable, "-m", "fastagi_server", "run")

# What systemd does between fork and exec. Bash, because other shells know one digit only.
LAUNCH = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; A=$1; H=$2; shift 2; exec "$@" 3<&"$A" 4<&"$H"'


class ServiceManager:
    """Runs one process of the service at a time; `folder` holds its state, log and this address.

    `words` are what all of them have told, in order, without the statuses; `status` is the last.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.words: list[str] = []
        self.status = ""
        self.process: asyncio.subprocess.Process | None = None
        self.configuration = folder / "config.toml"
        self.configuration.touch()
        self.agi = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.http = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self._settings = {"FASTAGI_CONFIG": str(self.configuration), **settings}
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(str(folder / "notify"))
        self._told.setblocking(False)

    @property
    def port(self) -> int:
        """Where calls are asked about."""
        port: int = self.agi.getsockname()[1]
        return port

    @property
    def http_port(self) -> int:
        """Where the embedded API is."""
        port: int = self.http.getsockname()[1]
        return port

    @property
    def pid(self) -> int:
        """The process that runs."""
        return self._running.pid

    async def start(self, command: Sequence[str] = START, **given: str) -> None:
        """Start the service and return when it says that it is ready. Raises StartError."""
        await self.launch(command, **given)
        await self.hear("READY=1")

    async def launch(self, command: Sequence[str] = START, **given: str) -> None:
        """Start the service, and wait for nothing."""
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *("bash", "-c", LAUNCH, "bash"),
                *(str(listener.fileno()) for listener in (self.agi, self.http)),
                *command,
                cwd=self.folder,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "PYTHONPATH": str(CHECKOUT),
                    "FASTAGI_STATE_DIR": str(self.folder / "state"),
                    "FASTAGI_SYSTEM_NAME": "pbx1",
                    "FASTAGI_LOG_FORMAT": "json",
                    **self._settings,
                    "LISTEN_FDS": "2",
                    "LISTEN_FDNAMES": "agi:http",
                    "NOTIFY_SOCKET": str(self.folder / "notify"),
                    **given,
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self.agi.fileno(), self.http.fileno()),
                start_new_session=True,
            )

    async def stop(self) -> int:
        """SIGTERM, and wait for the end; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._running.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        os.kill(self.pid, number)

    async def hear(self, word: str) -> None:
        """Listen until this word comes; raises StartError when it does not within 30 s."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    words = (await loop.sock_recv(self._told, 65536)).decode().split("\n")
                    for text in words:
                        if text.startswith("STATUS="):
                            self.status = text.removeprefix("STATUS=")
                        elif text != "WATCHDOG=1":
                            self.words.append(text)
                    if any(text.startswith(word) for text in words):
                        return
        except TimeoutError:
            raise StartError(f"no {word} in {self.words}:\n{self.log}") from None

    async def logged(self, event: str, number: int = 1) -> dict[str, Any]:
        """The `number`-th log line of an event, waiting for it; raises CommandError after 30 s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(lines := self.lines(event)) < number:  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.02)
                return lines[number - 1]
        raise CommandError(f"no {event} in:\n{self.log}")

    def lines(self, event: str) -> list[dict[str, Any]]:
        """All log lines of an event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    @property
    def log(self) -> str:
        """All that the processes have written."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self.process is None:
            raise StartError("the service was not started")
        return self.process

    async def close(self) -> None:
        """Kill what runs and let the sockets go."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            await self.process.wait()
        for end in (self.agi, self.http, self._told):
            end.close()


@asynccontextmanager
async def managed(folder: Path, **settings: str) -> AsyncGenerator[ServiceManager]:
    """A manager that has started nothing yet."""
    manager = ServiceManager(folder, settings)
    try:
        yield manager
    finally:
        await manager.close()
