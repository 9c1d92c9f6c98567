"""The embedded API's reads against an empty FastAPI route on the same worker."""

import json
import statistics
import urllib.request

from benchmarks.http_load import rate
from benchmarks.load import ratio
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress

KEY = "benchmark"
LIVE_CALLS = 1_000
LISTED_CALLS = 100

GET_LIMIT = 0.4
LIST_LIMIT = 0.1

_BASE = "/api/v1/voip/calls"
_EMPTY, _GET, _LIST = "empty FastAPI route", "GET of one call", "list of 100 in 1,000"


def reads(rig: Rig) -> Section:
    """Requests a second of one call and of a list, each as a share of the empty route's."""
    rates: dict[str, list[float]] = {_EMPTY: [], _GET: [], _LIST: []}
    with rig.api_worker(KEY, LIVE_CALLS) as port:
        paths = {
            _EMPTY: ("/empty", 8_000),
            _GET: (f"{_BASE}/{_some_call(port)}", 8_000),
            _LIST: (f"{_BASE}?limit={LISTED_CALLS}", 1_600),
        }
        for turn in range(rig.rounds):
            for name, (path, requests) in paths.items():
                progress(f"round {turn + 1}: {name}")
                rates[name].append(rate(port, path, key=KEY, requests=rig.scaled(requests)))
    one, many = ratio(rates[_GET], rates[_EMPTY]), ratio(rates[_LIST], rates[_EMPTY])
    return Section(
        "Reading calls over HTTP",
        ("request", "per second", "of the empty route"),
        tuple(
            (name, f"{statistics.median(seen):,.0f}", f"{ratio(seen, rates[_EMPTY]):.2f}")
            for name, seen in rates.items()
        ),
        f"{LIVE_CALLS:,} live calls on SQLite, eight connections, one worker. The empty route is "
        "FastAPI as it comes, without authentication, in the same process.",
        (
            Bar("GET of one call", f"at least {GET_LIMIT}", f"{one:.2f}", one >= GET_LIMIT),
            Bar(
                "list of 100 out of 1,000 live calls",
                f"at least {LIST_LIMIT}",
                f"{many:.2f}",
                many >= LIST_LIMIT,
            ),
        ),
    )


def _some_call(port: int) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{_BASE}?limit=1", headers={"X-API-Key": KEY}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        call_id: str = json.load(answer)[0]["id"]
        return call_id
