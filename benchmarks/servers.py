"""Who does the fixed job: ours, the peers and the floors."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = "benchmark"  # noqa: S105 - what the stub expects is any bearer token


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs: its port, the API's port, a folder of its own, the built tools."""

    port: int
    api_port: int
    state: Path
    tools: Path

    @property
    def api(self) -> str:
        """Base URL of the SGE API."""
        return f"http://127.0.0.1:{self.api_port}/api/v1/voip"


Start = Callable[[Place], Sequence[str]]
"""Gives the command line of a server for a place."""


@dataclass(frozen=True, slots=True)
class Server:
    """One of them.

    `calls` is how many make a run: about two seconds' worth, because the kernel counts a
    process's CPU time in steps of 10 ms and because the slow ones must not take the hour; so
    the slowest is given fewer calls at once, too.
    """

    name: str
    calls: int
    start: Start
    concurrent: int = 50
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def environment(self, place: Place) -> dict[str, str]:
        """Environment variables of its own."""
        return {
            "SGE_API_URL": place.api,
            "SGE_JWT_TOKEN": TOKEN,
            **{name: value.format(place=place) for name, value in self.settings.items()},
        }


def _peer(module: str, *flags: str) -> Start:
    def start(place: Place) -> Sequence[str]:
        python = (sys.executable, "-m", f"benchmarks.peers.{module}")
        return (*python, "--port", str(place.port), "--api", place.api, *flags)

    return start


def _ours(_place: Place) -> Sequence[str]:
    return (sys.executable, "-m", "fastagi_server", "run")


def _c_floor(place: Place) -> Sequence[str]:
    return (str(place.tools / "floor"), str(place.port), str(place.api_port))


BUDGET_SECONDS = 2.0

CHANNEL_LINES = (
    "agi_channel: PJSIP/1001-{serial:08x}\nagi_language: en\nagi_type: PJSIP\n"
    "agi_uniqueid: 1795372523.{serial}\nagi_version: 22.10.1\nagi_callerid: 1002\n"
    "agi_calleridname: unknown\nagi_callingpres: 0\nagi_callingani2: 0\n"
    "agi_callington: 0\nagi_callingtns: 0\nagi_dnid: 1001\nagi_rdnis: unknown\n"
    "agi_context: sky-genesis-voip\nagi_extension: 1001\nagi_priority: 2\n"
    "agi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 139825144915648\n\n"
)
"""The AGI request from its third line on, as the load generator writes it too."""

OURS = Server(
    "fastagi-server",
    8_000,
    _ours,
    settings={
        "FASTAGI_LISTEN": "127.0.0.1:{place.port}",
        "FASTAGI_STATE_DIR": "{place.state}",
        "FASTAGI_SYSTEM_NAME": "benchmark",
        "FASTAGI_LOG_FORMAT": "json",
        "FASTAGI_LOG_LEVEL": "info",
        "FASTAGI_DRAIN_SECONDS": "1",
        "SGE_DEADLINE_SECONDS": str(BUDGET_SECONDS),
    },
)
REFERENCE = Server("panoramisk + aiohttp", 4_000, _peer("panoramisk_aiohttp"))
C_FLOOR = Server("C floor", 10_000, _c_floor)

PEERS: tuple[Server, ...] = (
    C_FLOOR,
    Server("Python floor", 10_000, _peer("floor")),
    REFERENCE,
    Server("panoramisk + aiohttp, uvloop", 3_000, _peer("panoramisk_aiohttp", "--uvloop")),
    Server("aioagi + aiohttp", 3_000, _peer("aioagi_aiohttp")),
    Server("panoramisk + httpx", 300, _peer("panoramisk_httpx")),
    Server("documented script, forked, 8 at once", 16, _peer("forked_script"), concurrent=8),
)
