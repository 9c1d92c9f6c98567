"""Reconciliation after a gap in the events, with a thousand live channels in a real Asterisk."""

import contextlib
import statistics
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.calls import PACKAGE
from benchmarks.processes import BenchmarkError
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.asterisk import Asterisk
from lab.errors import LabError
from lab.processes import wait_until
from lab.service import Service, ari_settings

LIMIT_SECONDS = 2.0
CALLS = 500
"""The API lists so many at once, and each has two channels."""

PLACED_AT_ONCE = 25
CONNECT_SECONDS = 60.0
LINK_SECONDS = 30.0

_NUMBER = "7000"
_QUIET = "Local/wait@lab/n"
"""Answers and waits. A telephone would take ports for media, of which the lab has 500."""

_SETTINGS = {"SGE_DIAL_STRINGS": f'{{"{_NUMBER}": ["{_QUIET}"]}}'}
_UP = {"link": "ari", "state": "up"}
_CONNECTING = {"link": "ari", "state": "connecting"}

_CUT = "the event socket is cut"
_KILLED = "the service is killed"

Lines = Iterable[Mapping[str, Any]]


def reconciliation(rig: Rig) -> Section:
    """Seconds until the calls are led again; BenchmarkError if any of them was touched."""
    calls = rig.scaled(CALLS)
    took: dict[str, list[float]] = {_CUT: [], _KILLED: []}
    try:
        with _stage() as stage:
            stage.fill(calls)
            for turn in range(rig.rounds):
                progress(f"round {turn + 1}")
                took[_CUT].append(stage.untouched(stage.cut))
                took[_KILLED].append(stage.untouched(stage.kill))
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    longest = max(took[_CUT])
    return Section(
        "Reconciliation of live calls",
        ("after", "median s", "longest s"),
        tuple(
            (name, f"{statistics.median(seen):.2f}", f"{max(seen):.2f}")
            for name, seen in took.items()
        ),
        f"{calls:,} calls of two channels each, led by the service in a real Asterisk; their far "
        f"ends are as many channels again. A cut is timed from the next try to connect until the "
        "link is up, a kill from when the next process listens. There is only a figure if all "
        "records, channels and bridges are the same before and after.",
        (
            Bar(
                f"reconciliation of {2 * calls:,} live channels",
                f"under {LIMIT_SECONDS:.0f} s, no call touched",
                f"{longest:.2f} s",
                longest < LIMIT_SECONDS,
            ),
        ),
    )


@dataclass(frozen=True)
class _Stage:
    """A real Asterisk, and the service that leads calls in it."""

    asterisk: Asterisk
    service: Service

    def fill(self, calls: int) -> None:
        """Send callers in, some at a time, until each talks to the far end."""
        for done in range(0, calls, PLACED_AT_ONCE):
            wanted = min(done + PLACED_AT_ONCE, calls)
            with ThreadPoolExecutor() as askers:
                list(askers.map(self._enter, range(done, wanted)))
            self._expect(wanted)

    def untouched(self, interrupt: Callable[[], float]) -> float:
        """Interrupt the service; what that says it took. BenchmarkError if anything differs."""
        before = self._everything()
        took = interrupt()
        touched = differences(before, self._everything())
        if touched:
            raise BenchmarkError(f"touched by the reconciliation: {', '.join(touched[:5])}")
        return took

    def cut(self) -> float:
        """Have Asterisk close the event socket."""
        before = len(logged(self.service.log(), "link_state", **_UP))
        self.asterisk.cli("ari shutdown websocket sessions")
        self._wait_up(before + 1)
        log = self.service.log()
        began = logged(log, "link_state", **_CONNECTING)[-1]
        return logged(log, "link_state", **_UP)[-1] - began

    def kill(self) -> float:
        """Kill the service and start the next one, which knows the calls from their records."""
        self.service.kill()
        self.service.start_again()
        self._wait_up(1)
        log = self.service.log()
        return logged(log, "link_state", **_UP)[0] - logged(log, "api_listening")[0]

    def _enter(self, _number: int) -> None:
        caller = {"endpoint": _QUIET, "app": "sky-genesis-voip", "appArgs": _NUMBER}
        self.asterisk.control.request("POST", "channels", caller)

    def _wait_up(self, times: int) -> None:
        self.service.wait_for_log("link_state", times, seconds=LINK_SECONDS, **_UP)

    def _expect(self, calls: int) -> None:
        def connected() -> int:
            return sum(call["status"] == "connected" for call in self._records().values())

        if not wait_until(lambda: connected() == calls, CONNECT_SECONDS):
            raise BenchmarkError(f"{connected()} of {calls} calls are connected")

    def _records(self) -> dict[str, Any]:
        listed = self.service.request("GET", f"/calls?limit={CALLS}")
        return {call["id"]: call for call in listed}

    def _everything(self) -> dict[str, Any]:
        control = self.asterisk.control
        bridges = control.request("GET", "bridges")
        channels = {channel["id"]: channel["state"] for channel in control.channels()}
        members = {bridge["id"]: sorted(bridge["channels"]) for bridge in bridges}
        return {**self._records(), **channels, **members}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names that stand for another value than before, or in one of the two alone."""
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )


def logged(log: Lines, event: str, **fields: str) -> list[float]:
    """When the service said this, in seconds since 1970."""
    wanted = {"event": event, **fields}.items()
    return [
        datetime.fromisoformat(line["timestamp"]).timestamp()
        for line in log
        if wanted <= line.items()
    ]


@contextlib.contextmanager
def _stage() -> Generator[_Stage]:
    with (
        Asterisk.start() as asterisk,
        Service.start(ari_settings(asterisk) | PACKAGE | _SETTINGS) as service,
    ):
        service.wait_for_log("link_state", 1, seconds=LINK_SECONDS, **_UP)
        yield _Stage(asterisk, service)
