"""Makes the live calls agree with Asterisk after every gap in its events.

Whatever happened meanwhile, to Asterisk or to us: who is still there is led on, what is gone is
recorded as ended with the reason `lost`, and nothing that we made is left behind.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

import structlog

from fastagi_server.ari.bridges import UNPROCESSABLE
from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError, AriRefusedError
from fastagi_server.ari.events import StasisStart
from fastagi_server.ari.models import Channel
from fastagi_server.ari.reading import part, text
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Effect, Leg, LegState, Note
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.models import Call, CallType, EndFacts
from fastagi_server.calls.orders import (
    BROWSER,
    CALLER_LEG,
    DIRECT,
    arriving_channel,
    bridge_id,
    is_browsers,
    leg_id,
    rung_participants,
)
from fastagi_server.calls.participants import is_dial_string
from fastagi_server.calls.transitions import Trigger
from fastagi_server.identities.browsers import user_at
from fastagi_server.stasis.effects import CALL_ID_VARIABLE, CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.reception import Application
from fastagi_server.stasis.switchboard import Switchboard, leg_state

_OURS = re.compile(r"sge-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-([0-9]{1,4}))?")
"""Ids of our bridges and channels: the call's, and the leg's number."""

MAX_WATCHED = 20
"""Channels in one request: Asterisk's ids have up to 150 characters, its request lines 4,096."""

_log = structlog.stdlib.get_logger("calls")


class Reconciliation:
    """Compares records, live calls and Asterisk, and puts right what differs."""

    def __init__(
        self,
        ari: AriClient,
        journal: CallJournal,
        effects: CallEffects,
        switchboard: Switchboard,
        endpoints: Endpoints,
        *,
        applications: Mapping[str, Application],
    ) -> None:
        self._applications = applications
        self._tasks: set[asyncio.Task[None]] = set()
        self._ari = ari
        self._journal = journal
        self._effects = effects
        self._switchboard = switchboard
        self._endpoints = endpoints

    async def reconcile(self) -> None:
        """Put everything right; for `on_connected` of the link. Raises AriError, StoreError."""
        earlier = self._switchboard.calls
        asked = _dialled(earlier)
        records = await self._journal.active()
        channels = {channel.id: channel for channel in await self._ari.channels()}
        bridges = {
            bridge.id: bridge.channels
            for bridge in await self._ari.bridges()
            if _OURS.fullmatch(bridge.id) is not None
        }
        legs = _legs_by_call(channels.values())
        led = {live.call_id for live in (*earlier, *self._switchboard.calls)}
        found = list[LiveCall]()
        for call in records:
            if call.id not in led:
                found += await self._take_over(call, legs.get(call.id, {}), channels, bridges)
        await self._watch(found, channels)
        for live in found:
            self._switchboard.add(live)
            _log.info("call_taken_over", call=live.call_id, legs=len(live.legs))
        self._switchboard.is_linked = True
        asked |= _dialled(found)
        present = {channel.id: leg_state(channel) for channel in channels.values()}
        now = datetime.now(UTC)

        def take_stock(live: LiveCall) -> Sequence[Effect]:
            # Who was dialled while Asterisk was asked is missing in its answers, but is not gone.
            later = {leg.channel_id: leg.state for leg in live.legs if leg.channel_id not in asked}
            return live.take_stock(later | present, now)

        for live in self._switchboard.calls:
            carry_out = await self._switchboard.prepare(live.call_id, take_stock)
            if carry_out is not None:
                self._later(carry_out())
        await self._remove_orphans(channels, bridges)
        self._welcome_again(channels.values(), now)

    async def close(self) -> None:
        """Stop at once what is still being put right."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, work: Awaitable[None]) -> None:
        """Do what waits for events: none come before `reconcile` has returned."""
        task = asyncio.create_task(self._do(work), name="call-reconciliation")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - one call's trouble is not the others'
            _log.exception("call_not_put_right")

    async def _take_over(
        self,
        call: Call,
        made: Mapping[int, Channel],
        channels: Mapping[str, Channel],
        bridges: Mapping[str, Sequence[str]],
    ) -> list[LiveCall]:
        """A call that was begun before we started and is to be led on; empty when it is over."""
        joined = bridges.get(bridge_id(call.id))
        if not made and not joined and not self._has_caller(call, channels):
            # The gateway, if there is one, knows whether a call goes on that begins in a browser.
            left_alone = {BROWSER, DIRECT} if self._endpoints.browsers.name else {DIRECT}
            if (
                call.channel is None
                and call.metadata.get(CALLER_LEG) not in left_alone
                and any(map(is_dial_string, call.participants))
            ):
                await self._note_lost(call)
            return []
        legs = self._legs(call, made, channels)
        known = {leg.channel_id for leg in legs}
        # Who came by a transfer has an id of Asterisk's, but is where the others are.
        others = [each for each in joined or () if each in channels.keys() - known]
        legs += [self._leg(channels[each]) for each in others]
        live = LiveCall(
            call.id,
            legs,
            is_conference=call.call_type is CallType.CONFERENCE,
        )
        live.connected_at = call.answered_at
        live.has_bridge = joined is not None
        for leg in live.legs:
            leg.is_joined = leg.channel_id in (joined or ())
        return [live]

    async def _watch(self, calls: Iterable[LiveCall], channels: dict[str, Channel]) -> None:
        """Hear of the channels of these calls; those that are gone by now leave `channels`."""
        legs = chain.from_iterable(live.legs for live in calls)
        there = [leg.channel_id for leg in legs if leg.channel_id in channels]
        for start in range(0, len(there), MAX_WATCHED):
            several = there[start : start + MAX_WATCHED]
            if not await self._is_watched(*several):
                for channel_id in several:
                    if not await self._is_watched(channel_id):
                        del channels[channel_id]

    async def _is_watched(self, *channel_ids: str) -> bool:
        """Watch channels; False when one of them is gone."""
        try:
            await self._effects.watch(*channel_ids)
        except AriRefusedError as error:
            if error.status != UNPROCESSABLE:
                raise
            return False
        return True

    def _legs(
        self, call: Call, made: Mapping[int, Channel], channels: Mapping[str, Channel]
    ) -> list[Leg]:
        arriving = self._arriving(call, channels)
        if arriving is not None:
            caller = channels.get(arriving)
            who = "" if caller is None else self._leg(caller).participant
            first = Leg(arriving, participant=who, state=LegState.RINGING)
            return [first, *(self._leg(made[number]) for number in sorted(made))]
        rung = rung_participants(call)
        planned = [self._planned(call, number, each, made) for number, each in enumerate(rung)]
        return planned + [self._leg(made[number]) for number in sorted(made) if number >= len(rung)]

    def _planned(
        self, call: Call, number: int, participant: str, made: Mapping[int, Channel]
    ) -> Leg:
        name = leg_id(call.id, number)
        if number in made:
            return Leg(name, _endpoint(made[number]), participant, LegState.DIALLING)
        state = LegState.GONE
        endpoints = self._endpoints.of_leg(participant)
        if endpoints and call.answered_at is None and set(made) == {0}:
            state = LegState.WAITING
        return Leg(name, "".join(endpoints), participant, state)

    def _leg(self, channel: Channel) -> Leg:
        """The leg that a channel is; a browser's, which came by itself, names its user."""
        endpoint = participant = _endpoint(channel)
        if self._endpoints.browsers.has_channel(channel.name) and not _is_made(channel):
            participant = user_at(channel.caller_number) or ""
        return Leg(channel.id, endpoint, participant, leg_state(channel))

    def _arriving(self, call: Call, channels: Mapping[str, Channel]) -> str | None:
        """The channel that a call came by; a browser's, which may be gone, names the call."""
        for channel in channels.values():
            if channel.variables.get(CALL_ID_VARIABLE) != call.id:
                continue
            if self._endpoints.browsers.has_channel(channel.name) and not _is_made(channel):
                return channel.id
        return "" if is_browsers(call.metadata) else arriving_channel(call)

    def _has_caller(self, call: Call, channels: Mapping[str, Channel]) -> bool:
        """Whether the channel that a call came by is here, and in an application."""
        caller = channels.get(self._arriving(call, channels) or "")
        if caller is None or caller.app_name != "Stasis":
            return False
        # Two Asterisks may use the same unique id; the variable, where ari.conf sends it, tells.
        return caller.variables.get(CALL_ID_VARIABLE, call.id) in {call.id, ""}

    async def _note_lost(self, call: Call) -> None:
        now = datetime.now(UTC)
        facts = EndFacts(ended_at=now, reason="lost")
        await self._journal.note(call.id, Note(Trigger.END, now, facts))

    async def _remove_orphans(
        self, channels: Mapping[str, Channel], bridges: Iterable[str]
    ) -> None:
        """End channels and bridges that we made for calls that are over."""
        led = {live.call_id for live in self._switchboard.calls}
        for name in (*channels, *bridges):
            found = _OURS.fullmatch(name)
            if found is None or found[1] in led:
                continue
            _log.warning("orphan_removed", name=name)
            try:
                if found[2] is None:
                    await self._ari.destroy_bridge(name)
                else:
                    await self._ari.hang_up(name)
            except AriError as error:
                _log.warning("orphan_left", name=name, reason=str(error))

    def _welcome_again(self, channels: Iterable[Channel], now: datetime) -> None:
        """Serve callers who came in while nobody was told: their event does not come again."""
        for channel in channels:
            application, arguments = _stasis_arguments(channel)
            enter = self._applications.get(application)
            if enter is None or _is_made(channel):
                continue
            if self._switchboard.call_of(channel.id) is None:
                self._later(enter(StasisStart(now, application, channel, arguments, None)))


def _dialled(calls: Iterable[LiveCall]) -> set[str]:
    """The ids of the channels that have been made for calls, or came by themselves."""
    legs = chain.from_iterable(live.legs for live in calls)
    return {leg.channel_id for leg in legs if leg.state is not LegState.WAITING}


def _stasis_arguments(channel: Channel) -> tuple[str, tuple[str, ...]]:
    """The application that a channel is in, and what it came with; empty when in none."""
    dialplan = part(channel.raw, "dialplan")
    if text(dialplan, "app_name") != "Stasis":
        return "", ()
    application, *arguments = text(dialplan, "app_data").split(",")
    return application, tuple(arguments)


def _legs_by_call(channels: Iterable[Channel]) -> dict[str, dict[int, Channel]]:
    legs: dict[str, dict[int, Channel]] = {}
    for channel in channels:
        found = _OURS.fullmatch(channel.id)
        if found is not None and found[2] is not None:
            legs.setdefault(found[1], {})[int(found[2])] = channel
    return legs


def _is_made(channel: Channel) -> bool:
    """Whether a channel was made here, as against one that came by itself."""
    return _OURS.fullmatch(channel.id) is not None


def _endpoint(channel: Channel) -> str:
    return channel.name.rpartition("-")[0]
