"""The server under test: a process that is killed and started again."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

AGI_PORT: Final = 4573
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.01
CHECKOUT: Final = Path(__file__).parents[2]


def random_loopback_host() -> str:
    """An address of this machine that nobody else uses, so that the port stays ours when killed."""
    numbers = random.SystemRandom()
    return f"127.{numbers.randint(1, 254)}.{numbers.randint(0, 254)}.{numbers.randint(1, 254)}"


class ServerError(Exception):
    """The server ended by itself, or did not begin to listen."""


class Server:
    """`python -m fastagi_server run` with `settings`; its state and its log are in `folder`.

    `spent_seconds` is how long the last start took until the port was open.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.host = random_loopback_host()
        self.port = AGI_PORT
        self.log = folder / "server.log"
        self.outbox = folder / "state" / "outbox.sqlite3"
        self.starts = 0
        self._folder = folder
        configuration = folder / "empty.toml"
        configuration.touch()
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            "FASTAGI_CONFIG": str(configuration),
            "FASTAGI_STATE_DIR": str(folder / "state"),
            "FASTAGI_LISTEN": f"{self.host}:{self.port}",
            "FASTAGI_LOG_FORMAT": "json",
            "FASTAGI_SYSTEM_NAME": "pbx1",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start a process; it does not listen yet."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "fastagi_server",
                "run",
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def wait_until_listening(self) -> None:
        """Return once the port is open. Raises ServerError when it does not open."""
        ends_at = time.monotonic() + START_SECONDS
        while not await self._is_listening():
            self._require_alive()
            if time.monotonic() >= ends_at:
                raise ServerError(f"the server did not listen within {START_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS)

    async def kill(self) -> None:
        """SIGKILL for it and its workers, of which one or the other may die a moment later.

        Raises ServerError when it was dead already.
        """
        process = self._require_alive()
        _kill_family(process.pid)
        await process.wait()
        self._process = None

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help; nothing for a server that is dead."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            _kill_family(process.pid)
            await process.wait()

    async def _is_listening(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        return True

    def _require_alive(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is None or process.returncode is not None:
            code = None if process is None else process.returncode
            end = "\n".join(self.log_lines()[-20:])
            raise ServerError(f"the server ended by itself with {code}:\n{end}")
        return process

    def log_lines(self) -> list[str]:
        """All that the server's processes have logged."""
        return self.log.read_text(errors="replace").splitlines()


def _kill_family(parent: int) -> None:
    """Kill a process and then its children; one that is born in between is its parent's orphan."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for pid in (parent, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
