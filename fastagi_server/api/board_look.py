"""One look at everything that the wallboard shows, and each part of it as the board has it."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from fastagi_server.api.asterisk_view import Shared
from fastagi_server.api.board_figures import Minutes, minute_figures, present_figures
from fastagi_server.ari.errors import AriError
from fastagi_server.calls.listing import CallQuery
from fastagi_server.calls.models import Call
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.health.board import HealthBoard
from fastagi_server.health.states import Dependency, State, Summary
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.rooms.models import Room
from fastagi_server.rooms.registry import RoomRegistry
from fastagi_server.store.errors import StoreError
from fastagi_server.telemetry.exposition import Exposition
from fastagi_server.telemetry.masking import Masker
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.recent import RecentLines

MAX_CALLS = 1_000
MAX_ROOMS = 100
MAX_ENDPOINTS = 300
"""What one look shows of each; of the others it gives the number."""

MAX_COUNTED_ROOMS = 500

HEALTH_SECONDS = 2.0
"""How old the health may be, for which everything is asked that the telephone stands on."""

POOR_MOS = 3.6
"""Below this many users are not satisfied (ITU-T G.107, annex B)."""

ENDPOINTS_SECONDS = 5.0
"""How old the list of endpoints may be, which Asterisk makes anew for each who asks."""

MAX_NAME = 64
"""Characters of a name that are shown: a caller may send kilobytes."""

Body = dict[str, Any]
"""What BoardBody describes, with times as datetimes."""

_LOOKER = Identity("wallboard", frozenset({Scope.OPERATOR}))
_ACTIVE = CallQuery(is_active=True)


class BoardLook:
    """Puts the board together; `endpoints` is None where there is no Asterisk to list them.

    With a `masker` no caller's number or name is shown. `clock` is monotonic.
    """

    def __init__(
        self,
        *,
        calls: CallRegistry,
        rooms: RoomRegistry,
        health: HealthBoard,
        exposition: Exposition,
        endpoints: Shared | None = None,
        recent: RecentLines | None = None,
        masker: Masker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._rooms = rooms
        self._exposition = exposition
        self._health = health
        self._endpoints = endpoints
        self._recent = recent or RecentLines()
        self._masker = masker
        self._clock = clock
        self._minutes = Minutes(clock)
        self._checked_at = float("-inf")
        self._known: tuple[Sequence[Call], Sequence[Room]] = ((), ())
        self._known_endpoints: tuple[float, list[Body] | None] = (float("-inf"), None)

    async def look(self) -> Body:
        """Look once. Without the database the calls and rooms of the last look stay."""
        await self._read_records()
        endpoints = await self._list_endpoints()
        summary = await self._check_health()
        workers = await self._exposition.workers()
        present = present_figures(workers)
        calls, rooms = self._known
        return {
            "at": datetime.now(UTC),
            "verdict": _verdict(summary, present["mos"]),
            "figures": {
                **present,
                **minute_figures(self._minutes.last(workers.values())),
                "calls": _count(calls, workers),
                "rooms": len(rooms),
            },
            "links": [_link(each) for each in summary.dependencies],
            "calls": [self._call(call) for call in calls],
            "rooms": [_room(room) for room in rooms[:MAX_ROOMS]],
            "endpoints": None if endpoints is None else endpoints[:MAX_ENDPOINTS],
            "errors": [asdict(line) for line in self._recent.newest_first()],
        }

    async def _read_records(self) -> None:
        with suppress(StoreError):  # the health says it
            # As a search, which has a thread of its own and holds up nobody's call.
            calls = await self._calls.page(_ACTIVE, _LOOKER, None, MAX_CALLS)
            self._known = calls, await self._rooms.active(_LOOKER, MAX_COUNTED_ROOMS)

    async def _check_health(self) -> Summary:
        if self._clock() - self._checked_at < HEALTH_SECONDS:
            return self._health.summary()
        self._checked_at = self._clock()
        return await self._health.check()

    async def _list_endpoints(self) -> list[Body] | None:
        """All endpoints, the reachable ones first; None where they are not known."""
        if self._endpoints is None:
            return None
        at, known = self._known_endpoints
        if self._clock() - at < ENDPOINTS_SECONDS:
            return known
        try:
            listed = orjson.loads(await self._endpoints.get())
            known = sorted(map(_endpoint, listed), key=_reachable_first)
        except AriError:
            known = None
        self._known_endpoints = self._clock(), known
        return known

    def _call(self, call: Call) -> Body:
        calling, called = _parties(call)
        return {
            "id": call.id,
            "from": self._shown(calling),
            "to": self._shown(called),
            "kind": call.call_type,
            "status": call.status,
            "since": call.start_time,
            "answered_at": call.answered_at,
        }

    def _shown(self, party: str) -> str:
        party = party[:MAX_NAME]
        return party if self._masker is None else self._masker.personal(party)


def _verdict(summary: Summary, mos: float | None) -> Body:
    """Whether the telephone works, in one word, and why it is no better one."""
    reasons = [each.reason for each in summary.dependencies if each.state is not State.UP]
    if mos is not None and mos < POOR_MOS:
        reasons.append(f"poor audio: opinion score {mos:.1f}")
    word = "down" if not summary.is_ready else "degraded" if reasons else "working"
    return {"word": word, "reasons": reasons}


def _link(dependency: Dependency) -> Body:
    is_bad = dependency.state is State.DOWN and dependency.is_needed
    level = "good" if dependency.state is State.UP else "bad" if is_bad else "warn"
    return {
        "id": dependency.name,
        "state": dependency.state,
        "level": level,
        "since": dependency.since,
        "error": "" if level == "good" else dependency.last_error,
    }


def _count(calls: Sequence[Call], workers: Mapping[str, Measures]) -> int:
    """How many calls are active: those that were listed, unless there are more than that."""
    if len(calls) < MAX_CALLS:
        return len(calls)
    counted = next(iter(workers.values())).calls_active.values.values()
    return max(len(calls), int(sum(counted)))


def _parties(call: Call) -> tuple[str, str]:
    """Who calls and who is called, as people know them where that was said."""
    said = call.metadata
    name, number = said.get("caller_name", ""), said.get("caller_id", "")
    calling = f"{name} ({number})" if name and number else name or number or call.caller_id
    called = said.get("asterisk_dialled_number") or ", ".join(call.participants)
    return calling, called


def _room(room: Room) -> Body:
    return {
        "id": room.id,
        "name": room.name[:MAX_NAME],
        "number": room.number,
        "present": len(room.participants),
        "seats": room.max_participants,
        "is_locked": room.is_locked,
        "is_recorded": room.recording is not None,
        "since": room.created_at,
    }


def _endpoint(raw: Mapping[str, Any]) -> Body:
    name = f"{raw.get('technology', '')}/{raw.get('resource', '')}"[:MAX_NAME]
    channels: Sequence[str] = raw.get("channel_ids", ())
    state = str(raw.get("state", "unknown"))
    return {"id": name, "state": state, "channels": len(channels)}


def _reachable_first(endpoint: Body) -> tuple[bool, bool, str]:
    return endpoint["channels"] == 0, endpoint["state"] != "online", endpoint["id"]
