"""What the telephone system tells of users: who is on a call, and which calls they have.

    device.state  a telephone is in use: its users are on a call
    call.*        a party's pages are told of the call, and browsers in it are on a call
    link.up       what happened while a link was down was not told: look

Events of calls only say that there is something new; the record says what. What an event did not
tell is found by looking at all calls, and at all telephones, now and then.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from fastagi_server.calls.models import Call, CallStatus
from fastagi_server.events.models import Event
from fastagi_server.identities.extensions import Directory
from fastagi_server.identities.identity import is_user_name
from fastagi_server.presence.book import PresenceBook
from fastagi_server.telemetry.measures import Measures

IN_USE = frozenset({"INUSE", "BUSY", "ONHOLD", "RINGINUSE"})
"""Asterisk's words for a telephone that is on a call; one that rings is not."""

CALLER_LEG = "caller_leg"
BROWSER = "webrtc"
"""An entry of a call's metadata: the caller's own leg is a browser."""

LOOK_SECONDS = 60.0
MAX_WAITING = 1000
MAX_LOOK = 1000
"""Calls that one look takes in."""

_ON_CALL = frozenset({CallStatus.CONNECTED, CallStatus.ON_HOLD})
_log = structlog.stdlib.get_logger("presence")


class CallRecords(Protocol):
    """The records of calls. Both may raise whatever the store raises."""

    async def get(self, call_id: str) -> Call | None:
        """The call with this id, if there is one."""
        ...

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        """At most `limit` calls that have not ended, newest first; of one party, or of all."""
        ...


class CallNews(Protocol):
    """Tells users of their calls."""

    def tell_call(self, user: str, call: Call) -> None:
        """Send the call to every page of the user; never waits, never raises."""
        ...


LiveEndpoints = Callable[[], Awaitable[Collection[str] | None]]
"""The endpoints, such as PJSIP/1001, that are on a call now; None when that cannot be told."""


class PresenceFeed:
    """Feeds the book; it is to `hear` every event, and to `run`.

    `directory` knows whose a participant is. `live_endpoints` puts right what device states did not
    tell, such as the end of a call while the manager interface was away.
    """

    def __init__(
        self,
        book: PresenceBook,
        records: CallRecords,
        news: CallNews,
        *,
        directory: Directory,
        measures: Measures,
        live_endpoints: LiveEndpoints | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._book = book
        self._records = records
        self._news = news
        self._directory = directory
        self._measures = measures
        self._live_endpoints = live_endpoints
        self._look_seconds = look_seconds
        self._waiting: deque[Event] = deque()
        self._has_news = asyncio.Event()
        self._owes_look = asyncio.Event()
        self._on_call: dict[str, frozenset[str]] = {}
        self._in_use: set[str] = set()

    def hear(self, event: Event) -> None:
        """Take an event; never waits. An `events.hub.EventHub` can have it told."""
        if event.type == "device.state":
            self._device(str(event.data.get("device", "")), str(event.data.get("state", "")))
        elif event.type == "link.up":
            self._owes_look.set()
        elif event.call is not None and event.type.startswith("call."):
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
                self._measures.drops.add("presence_call")
            self._waiting.append(event)
            self._has_news.set()

    async def run(self) -> None:
        """Feed until cancelled; what fails is done again with the next look."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="presence-calls")
            tasks.create_task(self._look_around(), name="presence-looks")

    async def settle(self) -> None:
        """Do what waits."""
        self._has_news.clear()
        while self._waiting:
            await self._take(self._waiting.popleft())

    async def look(self) -> None:
        """Make the book agree with the calls and the telephones that there are."""
        active = {call.id: call for call in await self._records.active(None, MAX_LOOK)}
        if len(active) < MAX_LOOK:  # else others go on, too, that are not among them
            for call_id in self._on_call.keys() - active.keys():
                self._release(call_id)
        for call in active.values():
            self._note(call, "")
        endpoints = await self._live_endpoints() if self._live_endpoints is not None else None
        if endpoints is not None:
            for endpoint in self._in_use - set(endpoints):
                self._device(endpoint, "NOT_INUSE")
            for endpoint in endpoints:
                self._device(endpoint, "INUSE")

    # -- inside -----------------------------------------------------------------------------------

    def _device(self, endpoint: str, state: str) -> None:
        in_use = state in IN_USE
        if in_use == (endpoint in self._in_use) or not self._users(endpoint):
            return
        (self._in_use.add if in_use else self._in_use.discard)(endpoint)
        self._book.device_state(endpoint, in_use)

    async def _follow(self) -> None:
        while True:
            await self._has_news.wait()
            await _try(self.settle)

    async def _look_around(self) -> None:
        while True:
            self._owes_look.clear()
            await _try(self.look)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._owes_look.wait()

    async def _take(self, event: Event) -> None:
        call_id, data = event.call or "", event.data
        parties = self._parties(str(data.get("caller_id", "")), data.get("participants") or ())
        if call_id not in self._on_call and not any(map(self._book.is_reachable, parties)):
            return
        call = await self._records.get(call_id)
        if call is None:
            self._release(call_id)
            return
        self._note(call, str(data.get("actor", "")))
        for user in self._parties(call.caller_id, call.participants):
            self._news.tell_call(user, call)

    def _note(self, call: Call, actor: str) -> None:
        if call.status not in _ON_CALL:
            self._release(call.id)
        elif call.id not in self._on_call:
            self._on_call[call.id] = self._talking(call, actor)
            for user in self._on_call[call.id]:
                self._book.occupy(user, call.id, is_on=True)

    def _release(self, call_id: str) -> None:
        for user in self._on_call.pop(call_id, ()):
            self._book.occupy(user, call_id, is_on=False)

    def _talking(self, call: Call, actor: str) -> frozenset[str]:
        """The users who are on an answered call, as far as the record tells.

        Of several who were called it is the one who accepted; telephones tell for themselves.
        """
        called = frozenset[str]().union(*map(self._users, call.participants))
        talking = called if len(called) == 1 else called & {actor}
        has_dialled = any("/" in participant for participant in call.participants)
        if call.metadata.get(CALLER_LEG) == BROWSER or not has_dialled:
            talking |= {call.caller_id}
        return frozenset(filter(is_user_name, talking))

    def _parties(self, caller: str, participants: Sequence[str]) -> frozenset[str]:
        users = frozenset({caller}).union(*map(self._users, participants))
        return frozenset(filter(is_user_name, users))

    def _users(self, participant: str) -> frozenset[str]:
        return self._directory.identities_of(participant) - (
            {participant} if "/" in participant else frozenset()
        )


async def _try(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:  # noqa: BLE001 - presence must not end the other parts of the service
        _log.exception("presence_feed_failed")
