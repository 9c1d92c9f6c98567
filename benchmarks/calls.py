"""From the request for a call to the INVITE at the phone, in the lab's Asterisk."""

import contextlib
import json
import queue
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks.busy_phone import BusyPhone
from benchmarks.isolation import ROOT
from benchmarks.load import ratio
from benchmarks.processes import BenchmarkError
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.asterisk import Asterisk
from lab.errors import LabError
from lab.processes import wait_until
from lab.service import API_KEY, Service, ari_settings

LIMIT = 1.3
CALLS = 120
WARM_UP = 5
IDLE_SECONDS = 10.0
LINK_SECONDS = 15.0

_OURS, _BARE = "POST /calls", "bare script"
PACKAGE = {"PYTHONPATH": str(ROOT)}
"""The benchmark's own environment has what the service needs, but not the service."""

_APP = "bench"

Place = Callable[[str], None]
"""Asks for a call to a dial string."""


def to_invite(rig: Rig) -> Section:
    """Milliseconds from the request to the INVITE, through the API and by ARI alone."""
    times: dict[str, list[float]] = {_OURS: [], _BARE: []}
    try:
        with _stage() as stage:
            places = {_OURS: stage.by_api, _BARE: stage.by_ari}
            for turn in range(WARM_UP + rig.scaled(CALLS)):
                if turn % 10 == 0:
                    progress(f"call {turn}")
                for name, place in places.items():
                    took = stage.time(place)
                    if turn >= WARM_UP:
                        times[name].append(took)
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    share = ratio(times[_OURS], times[_BARE])
    return Section(
        "From a request to the INVITE",
        ("by", "median ms", "p90 ms"),
        tuple(
            (
                name,
                f"{statistics.median(seen):.2f}",
                f"{statistics.quantiles(seen, n=10)[-1]:.2f}",
            )
            for name, seen in times.items()
        ),
        "One call at a time to a busy phone. The bare script makes a channel and, when that "
        "has entered its application, dials it: two requests over one connection that is kept. "
        "The API does so too, after it has recorded the call on disk.",
        (
            Bar(
                "POST /calls to INVITE",
                f"at most {LIMIT} of a bare script",
                f"{share:.2f}",
                share <= LIMIT,
            ),
        ),
    )


@dataclass(frozen=True)
class _Stage:
    """A real Asterisk, our service on it, a phone, and clients that are connected."""

    asterisk: Asterisk
    phone: BusyPhone
    api: httpx.Client
    ari: httpx.Client
    entered: "queue.Queue[str]"

    def is_led(self) -> bool:
        """Whether the service places calls: a first one, which does not count."""
        body = {"participants": [f"PJSIP/1001/{self.phone.uri}"], "call_type": "audio"}
        if not self.api.post("/calls", json=body).is_success:
            return False
        self.phone.wait()
        return self.asterisk.wait_idle(IDLE_SECONDS)

    def by_api(self, endpoint: str) -> None:
        body = {"participants": [endpoint], "call_type": "audio"}
        self.api.post("/calls", json=body).raise_for_status()

    def by_ari(self, endpoint: str) -> None:
        channel = f"bench-{uuid.uuid4()}"
        made = {"endpoint": endpoint, "app": _APP, "channelId": channel}
        self.ari.post("/channels/create", params=made).raise_for_status()
        while self.entered.get(timeout=IDLE_SECONDS) != channel:
            pass
        self.ari.post(f"/channels/{channel}/dial", params={"timeout": 30}).raise_for_status()

    def time(self, place: Place) -> float:
        """Milliseconds from the request to the INVITE; returns when the call is over."""
        begun = time.perf_counter()
        place(f"PJSIP/1001/{self.phone.uri}")
        took = (self.phone.wait() - begun) * 1000
        if not self.asterisk.wait_idle(IDLE_SECONDS):
            raise BenchmarkError("a call did not end")
        return took


@contextlib.contextmanager
def _stage() -> Generator[_Stage]:
    with (
        Asterisk.start() as asterisk,
        Service.start(ari_settings(asterisk) | PACKAGE) as service,
        BusyPhone() as phone,
        httpx.Client(base_url=service.api, headers={"X-API-Key": API_KEY}, trust_env=False) as api,
        httpx.Client(
            base_url=f"http://127.0.0.1:{asterisk.ports.http}/ari",
            auth=(asterisk.control.user, asterisk.control.password),
            trust_env=False,
        ) as ari,
        _application(asterisk) as entered,
    ):
        stage = _Stage(asterisk, phone, api, ari, entered)
        if not wait_until(stage.is_led, LINK_SECONDS):
            raise BenchmarkError("the service did not link itself to Asterisk")
        yield stage


@contextlib.contextmanager
def _application(asterisk: Asterisk) -> Generator["queue.Queue[str]"]:
    """The bare script's Stasis application; gives the ids of the channels that entered it."""
    entered: queue.Queue[str] = queue.Queue()
    control = asterisk.control
    login = f"{control.user}:{control.password}"
    url = f"ws://127.0.0.1:{control.port}/ari/events?app={_APP}&api_key={login}"
    with connect(url, proxy=None) as socket:
        reader = threading.Thread(target=_read, args=(socket, entered), name="events")
        reader.start()
        yield entered
        socket.close()
        reader.join()


def _read(socket: ClientConnection, entered: "queue.Queue[str]") -> None:
    with contextlib.suppress(ConnectionClosed):
        for message in socket:
            event = json.loads(message)
            if event["type"] == "StasisStart":
                entered.put(event["channel"]["id"])
