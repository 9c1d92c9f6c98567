"""The service as an operator runs it: `fastagi-server run` of this checkout, a process of its own.

with Asterisk.start() as asterisk, Service.start() as service:
    asterisk.set_global("SGE_AGI", service.agi)
    ...
    assert service.calls() == []
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab import processes
from lab.asterisk import Asterisk
from lab.errors import CommandError, StartError
from lab.loopback import ask

START_SECONDS = 15.0
STOP_SECONDS = 10.0
LOG_SECONDS = 10.0

API_KEY = "the-lab's-own-key"
API_PATH = "/api/v1/voip"

# The child sees none of the caller's settings, only what finds programs and files.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")


def ari_settings(asterisk: Asterisk) -> dict[str, str]:
    """The settings that let a service lead calls in this Asterisk."""
    return {
        "ASTERISK_ARI_URL": f"http://127.0.0.1:{asterisk.ports.http}",
        "ASTERISK_ARI_PASSWORD": asterisk.passwords["ari"],
    }


def ami_settings(asterisk: Asterisk) -> dict[str, str]:
    """The settings that let a service supervise this Asterisk."""
    return {
        "ASTERISK_AMI_HOST": "127.0.0.1",
        "ASTERISK_AMI_PORT": str(asterisk.ports.ami),
        "ASTERISK_AMI_SECRET": asterisk.passwords["ami"],
    }


def gateway_settings(asterisk: Asterisk) -> dict[str, str]:
    """The settings that let a service speak for browsers with this Asterisk."""
    return {
        "SGE_GATEWAY_LISTEN": f"127.0.0.1:{asterisk.ports.gateway}",
        "SGE_GATEWAY_SIP": f"127.0.0.1:{asterisk.ports.sip}",
        "SGE_GATEWAY_TOKEN": asterisk.passwords["gateway"],
    }


class Service:
    """One running service with a folder and ports of its own; `start` makes it.

    `agi` is what the dialplan calls SGE_AGI, `api` the base address of its embedded SGE API. It
    ends when `stop` is called or the `with` block is left.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fastagi-lab-"))
        self.state_folder = self.folder / "state"
        self.agi = ""
        self.api = ""
        self._api_port = 0
        self._settings = dict(settings)
        self._child: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @classmethod
    def start(cls, settings: Mapping[str, str] | None = None) -> Self:
        """Start a service that listens on free ports of 127.0.0.1, and return once it does.

        `settings` are settings by their names in the environment; those that are not named have
        their defaults, but for a state folder that is removed at the end. Raises StartError, with
        the end of the log, when it does not listen within 15 s.
        """
        service = cls(
            {
                "FASTAGI_LISTEN": "127.0.0.1:0",
                "FASTAGI_DRAIN_SECONDS": "2",
                "PORT": "0",
                **({} if settings and "SGE_API_URL" in settings else {"SGE_API_KEY": API_KEY}),
                **(settings or {}),
            }
        )
        try:
            service.start_again()
        except BaseException:
            service.stop()
            raise
        return service

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_again(self) -> None:
        """Start the process, after `kill` on the same ports and with the same state."""
        (self.folder / "config.toml").touch()
        self._starts += 1
        self._child = processes.start(
            [sys.executable, "-m", "fastagi_server", "run"],
            self._log_file,
            environment=self._environment(),
            folder=self.folder,
        )
        try:
            listening = self.wait_for_log("listening", seconds=START_SECONDS)
        except CommandError as error:
            raise StartError(f"the service does not listen: {error}") from error
        # The ports of the first start are kept: whoever knew them finds the successor there.
        self._settings["FASTAGI_LISTEN"] = ",".join(map(_bracketed, listening["addresses"]))
        self.agi = "agi://" + self._settings["FASTAGI_LISTEN"].partition(",")[0]
        for line in self.log():
            if line["event"] == "api_listening":
                self._settings["PORT"] = line["address"].rpartition(":")[2]
                self._api_port = int(self._settings["PORT"])
                self.api = f"http://{line['address']}{API_PATH}"

    def kill(self) -> None:
        """End the process and its workers as a crash would: SIGKILL, no last word."""
        if self._child is not None:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait(STOP_SECONDS)

    def suspend(self) -> None:
        """Stop the process where it stands, so that it reads nothing and answers nothing."""
        if self._child is not None:
            os.killpg(self._child.pid, signal.SIGSTOP)

    def stop(self) -> None:
        """End the process, by force after 10 s, and remove its files. May be called twice."""
        if self._child is not None and self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGCONT)
            processes.end(self._child, STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def calls(self) -> list[dict[str, Any]]:
        """Return the active calls of the embedded API, newest first."""
        listed: list[dict[str, Any]] = self.request("GET", "/calls")
        return listed

    def call(self, call_id: str) -> dict[str, Any]:
        """Return the record of one call from the embedded API."""
        record: dict[str, Any] = self.request("GET", f"/calls/{call_id}")
        return record

    def events(self, call_id: str) -> list[dict[str, Any]]:
        """Return what the embedded API noted of a call, oldest first."""
        noted: list[dict[str, Any]] = self.request("GET", f"/calls/{call_id}/events")
        return noted

    def place(self, *participants: str, call_type: str = "audio") -> dict[str, Any]:
        """Ask the embedded API for a call and return its record."""
        body = {"participants": participants, "call_type": call_type}
        record: dict[str, Any] = self.request("POST", "/calls", body)
        return record

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the embedded API and return its JSON; raises CommandError with its own words."""
        return ask(self._api_port, method, f"{API_PATH}{path}", {"X-API-Key": API_KEY}, body)

    def command(self, *arguments: str) -> str:
        """Run `fastagi-server` with the same settings and state, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "fastagi_server", *arguments],
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"fastagi-server {' '.join(arguments)}: {done.stdout}")
        return done.stdout

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines since the last start, those that are JSON."""
        if not self._log_file.exists():
            return []
        lines = self._log_file.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait_for_log(
        self, event: str, number: int = 1, *, seconds: float = LOG_SECONDS, **fields: object
    ) -> dict[str, Any]:
        """Return the `number`-th log line of an event with these fields, waiting for it.

        Raises CommandError with the end of the log when the deadline passes without one.
        """

        def found() -> list[dict[str, Any]]:
            wanted = {"event": event, **fields}.items()
            return [line for line in self.log() if wanted <= line.items()]

        if not processes.wait_until(lambda: self._is_over() or len(found()) >= number, seconds):
            raise CommandError(f"{event} was not logged in {seconds:.0f} s:\n{self._last_words()}")
        if len(found()) < number:
            raise CommandError(f"the service ended without logging {event}:\n{self._last_words()}")
        return found()[number - 1]

    @property
    def _log_file(self) -> Path:
        return self.folder / f"log-{self._starts}"

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {
            **inherited,
            "FASTAGI_CONFIG": str(self.folder / "config.toml"),
            "FASTAGI_STATE_DIR": str(self.state_folder),
            "FASTAGI_LOG_FORMAT": "json",
            **self._settings,
        }

    def _is_over(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def _last_words(self) -> str:
        return self._log_file.read_text(errors="replace")[-2000:]


def _bracketed(address: str) -> str:
    """Return `host:port` with brackets around an IPv6 host, as URLs and settings want it."""
    host, _, port = address.rpartition(":")
    return f"[{host}]:{port}" if ":" in host else address
