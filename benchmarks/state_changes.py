"""How soon the API shows what a telephone did, while a hundred other calls are under way."""

import contextlib
import re
import statistics
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from benchmarks.calls import PACKAGE
from benchmarks.processes import BenchmarkError
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.asterisk import Asterisk
from lab.errors import CommandError, LabError
from lab.phones import Phone
from lab.processes import wait_until
from lab.service import API_KEY, Service, ari_settings

LIMIT_MS = 200.0
IN_FLIGHT = 100
PROBES = 100

CALL_MS = 10_000
BETWEEN_SECONDS = 0.085
"""From one call to the next: some more are in flight than must be."""

TALK_MS = 250
FILL_SECONDS = 60.0
PROBE_SECONDS = 5.0
LINK_SECONDS = 30.0
MOST_CALLS = 5_000

CONNECTED, ENDED = "connected", "ended"

_MESSAGE = re.compile(
    r"^-{20,} (?P<at>\S+)\n\w+ message sent \[\d+\] bytes:\s+(?P<text>.*?)\n\n",
    re.DOTALL | re.MULTILINE,
)
_OF_INVITE = re.compile(r"^CSeq: \d+ INVITE", re.MULTILINE)
_PROBE = re.compile(r"^(?:To|From): <sip:(probe-\d+)@", re.MULTILINE)

Moments = Mapping[str, float]
"""When a call came into each state, in seconds since 1970."""


def to_api(rig: Rig) -> Section:
    """Milliseconds from the telephone's answer, and its hang-up, until GET of the call says so."""
    seen: dict[str, Moments] = {}
    in_flight: list[int] = []
    try:
        with _stage() as stage:
            if not wait_until(lambda: stage.in_flight() >= IN_FLIGHT, FILL_SECONDS):
                raise BenchmarkError(f"only {stage.in_flight()} calls are in flight")
            for turn in range(rig.scaled(PROBES)):
                if turn % 10 == 0:
                    progress(f"probe {turn}")
                in_flight.append(stage.in_flight())
                seen[f"probe-{turn}"] = stage.probe(f"probe-{turn}")
            took = delays(phone_times(stage.probed.messages()), seen)
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    median = statistics.median([each for one in took.values() for each in one])
    return Section(
        "From the telephone to the API",
        ("change", "calls", "median ms", "p99 ms"),
        tuple((name, str(len(each)), *_figures(each)) for name, each in took.items()),
        "SIPp answers, talks and hangs up; the time is from its message until GET of that call, "
        "asked without a pause, first tells of it. Meanwhile a dozen other calls begin and as "
        f"many end each second; {min(in_flight)} to {max(in_flight)} were in flight.",
        (
            Bar(
                f"a change in Asterisk is in the API, {IN_FLIGHT} calls in flight",
                f"within {LIMIT_MS:.0f} ms at the median",
                f"{median:.1f} ms",
                median <= LIMIT_MS and min(in_flight) >= IN_FLIGHT,
            ),
        ),
    )


@dataclass(frozen=True)
class _Stage:
    """A real Asterisk, our service on it, a telephone for probes, and calls on another."""

    service: Service
    probed: Phone
    api: httpx.Client

    def in_flight(self) -> int:
        """How many calls are active."""
        return len(self.service.request("GET", "/calls?limit=500"))

    def probe(self, user: str) -> Moments:
        """Call the telephone as `user`; when the API first told of each state."""
        call_id = self.service.place(_at(self.probed, user))["id"]
        seen: dict[str, float] = {}
        end = time.monotonic() + PROBE_SECONDS
        while ENDED not in seen:
            status = self.api.get(f"/calls/{call_id}").raise_for_status().json()["status"]
            if status in {CONNECTED, ENDED}:
                seen.setdefault(CONNECTED, time.time())
            if status == ENDED:
                seen[ENDED] = time.time()
            if time.monotonic() > end:
                raise BenchmarkError(f"{user} is {status} after {PROBE_SECONDS:.0f} s")
        return seen


class _Traffic:
    """Places a call every BETWEEN_SECONDS, whatever became of those before."""

    def __init__(self, service: Service, phone: Phone) -> None:
        self._service = service
        self._phone = phone
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._place, name="traffic")

    @contextlib.contextmanager
    def flowing(self) -> Generator[None]:
        """Traffic as long as the block lasts."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _place(self) -> None:
        due = time.monotonic()
        # A call that is refused is missed by whoever counts those in flight.
        with contextlib.suppress(CommandError):
            while not self._over.wait(max(due - time.monotonic(), 0.0)):
                self._service.place(_at(self._phone, "traffic"))
                due += BETWEEN_SECONDS


def phone_times(log: str) -> dict[str, Moments]:
    """When SIPp first sent each answer and each hang-up, by the user that was called."""
    times: dict[str, dict[str, float]] = {}
    for message in _MESSAGE.finditer(log):
        user, change = _PROBE.search(message["text"]), _change(message["text"])
        if user is not None and change is not None:
            at = datetime.fromisoformat(message["at"]).timestamp()
            times.setdefault(user[1], {}).setdefault(change, at)
    return dict(times)


def delays(done: Mapping[str, Moments], seen: Mapping[str, Moments]) -> dict[str, list[float]]:
    """Milliseconds from what was done until it was seen, for each change of each call.

    Raises BenchmarkError for a change that was seen and that nobody made.
    """
    try:
        return {
            change: [(seen[user][change] - done[user][change]) * 1000 for user in seen]
            for change in (CONNECTED, ENDED)
        }
    except KeyError as error:
        raise BenchmarkError(f"SIPp's log does not tell of {error}") from error


def _change(message: str) -> str | None:
    if message.startswith("BYE "):
        return ENDED
    is_answer = message.startswith("SIP/2.0 200 ") and _OF_INVITE.search(message) is not None
    return CONNECTED if is_answer else None


def _figures(times: list[float]) -> tuple[str, str]:
    p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
    return f"{statistics.median(times):.1f}", f"{p99:.1f}"


def _at(phone: Phone, user: str) -> str:
    return f"PJSIP/1001/sip:{user}@127.0.0.1:{phone.ports.sip}"


@contextlib.contextmanager
def _stage() -> Generator[_Stage]:
    with (
        Asterisk.start() as asterisk,
        Service.start(ari_settings(asterisk) | PACKAGE) as service,
        Phone(asterisk, "1001").listen("answer-hang-up", TALK_MS, calls=MOST_CALLS) as probed,
        Phone(asterisk, "1002").listen("answer-hang-up", CALL_MS, calls=MOST_CALLS) as busy,
        httpx.Client(base_url=service.api, headers={"X-API-Key": API_KEY}, trust_env=False) as api,
    ):
        service.wait_for_log("link_state", state="up", seconds=LINK_SECONDS)
        with _Traffic(service, busy).flowing():
            yield _Stage(service, probed, api)
