"""Ends the records of calls that nobody will end: idle ones, and those whose channel is gone.

Calls that are led here end with their channels. What remains is calls between users without a
telephone, calls that the dialplan leads and whose end nobody reported, and calls whose end the
store did not take.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import Call, CallStatus, EndFacts
from fastagi_server.calls.orders import CHANNEL_ID
from fastagi_server.calls.transitions import Trigger
from fastagi_server.stasis.effects import SYSTEM_VARIABLE
from fastagi_server.stasis.switchboard import Switchboard
from fastagi_server.store.errors import StoreError

LOOK_SECONDS = 30.0
"""Between two looks. A channel that two looks miss is gone, and its end was not reported."""

LOOK_DEADLINE_SECONDS = 60.0

_UNANSWERED = frozenset({CallStatus.INITIATING, CallStatus.RINGING})

_log = structlog.stdlib.get_logger("calls")


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """Seconds after which a call that no channel keeps alive is ended: unanswered, and answered."""

    ringing_seconds: float
    call_seconds: float


class ChannelView(Protocol):
    """Knows which calls have a channel."""

    async def unseen(self, calls: Sequence[Call]) -> tuple[set[str], set[str]]:
        """Of calls, those that are led here, and those that have no channel any more.

        Both by id. Of a call whose channel is another system's nothing is said. Raises AriError.
        """
        ...


class PbxView:
    """Which calls the Asterisk of one switchboard knows; a ChannelView.

    Calls of other systems are none of its business: their channels are never here. Its own are
    those registered under the name that its dialplan gives itself, else under `system_name`.
    """

    def __init__(self, ari: AriClient, switchboard: Switchboard, *, system_name: str) -> None:
        self._ari = ari
        self._switchboard = switchboard
        self._system_name = system_name

    async def unseen(self, calls: Sequence[Call]) -> tuple[set[str], set[str]]:
        """See ChannelView."""
        channels = {channel.id for channel in await self._ari.channels()}
        led = {live.call_id for live in self._switchboard.calls}
        system = await self._ari.global_variable(SYSTEM_VARIABLE) or self._system_name
        gone = {
            call.id
            for call in calls
            if call.channel is not None
            and call.channel.system == system
            and call.channel.unique_id not in channels
        }
        return led, gone - led | left_behind(calls, self._switchboard)


def left_behind(calls: Sequence[Call], switchboard: Switchboard) -> set[str]:
    """The ids of calls that were placed here and are not led any more: their end got lost.

    While the switchboard has no link it may still have to take them up.
    """
    if not switchboard.is_linked:
        return set()
    led = {live.call_id for live in switchboard.calls}
    return {
        call.id
        for call in calls
        if call.channel is None and CHANNEL_ID in call.metadata and call.id not in led
    }


class CallUpkeep:
    """Looks at the active calls every 30 s. Without a `pbx` only time tells that a call is over."""

    def __init__(
        self,
        journal: CallJournal,
        limits: IdleLimits,
        pbx: ChannelView | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._limits = limits
        self._pbx = pbx
        self._now = now
        self._missed: set[str] = set()

    async def run(self) -> None:
        """Look after the calls until cancelled; a look that fails is logged and repeated."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(LOOK_DEADLINE_SECONDS):
                    await self.look()
            except (AriError, StoreError) as error:
                _log.warning("calls_not_looked_after", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever it was, the next look may do better
                _log.exception("call_upkeep_failed")

    async def look(self) -> None:
        """End what is over. Raises AriError and StoreError."""
        calls = await self._journal.active()
        led, gone = set[str](), set[str]()
        if self._pbx is not None:
            led, gone = await self._pbx.unseen(calls)
        for call in calls:
            if call.id in gone & self._missed:
                await self._end(call, "lost")
            elif call.id not in led and self._is_idle(call, has_pbx=self._pbx is not None):
                await self._end(call, "idle")
        self._missed = gone

    def _is_idle(self, call: Call, *, has_pbx: bool) -> bool:
        if has_pbx and call.channel is not None:
            return False  # its channel tells
        limit = self._limits.call_seconds
        if call.status in _UNANSWERED:
            limit = self._limits.ringing_seconds
        return limit > 0 and self._now() - call.updated_at >= timedelta(seconds=limit)

    async def _end(self, call: Call, reason: str) -> None:
        now = self._now()
        _log.info("call_ended_by_upkeep", call=call.id, reason=reason)
        note = Note(Trigger.END, now, EndFacts(ended_at=now, reason=reason))
        await self._journal.note(call.id, note)
