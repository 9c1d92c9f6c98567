"""The Stasis application of rooms: who dials its number comes in, and the roster is the bridge.

    exten => _9XXX,1,Stasis(sky-genesis-conference,${EXTEN:1})

Events of one room are worked on in order; a caller who is still being asked for a password holds
up nobody.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress

import structlog

from fastagi_server.ari import events
from fastagi_server.ari.client import AriClient
from fastagi_server.ari.dispatch import OrderedDispatch
from fastagi_server.ari.errors import AriError
from fastagi_server.ari.models import Bridge, Channel
from fastagi_server.ari.reading import part, text
from fastagi_server.calls.errors import PbxError
from fastagi_server.rooms.attendance import Attendance
from fastagi_server.rooms.errors import RoomError
from fastagi_server.rooms.models import BRIDGE_PREFIX, Room
from fastagi_server.stasis.lobby import Lobby
from fastagi_server.stasis.prompts import Keypad, Prompter
from fastagi_server.stasis.room_control import NORMAL_CLEARING, AriRoomControl
from fastagi_server.store.errors import StoreError
from fastagi_server.telemetry.measures import Measures

MAX_CALLERS = 1000
"""Callers on their way in at once; more are hung up."""

CONGESTION = 42

_OURS = re.compile(rf"{BRIDGE_PREFIX}([0-9a-f-]{{36}})(-.+)?")

Note = Callable[[], Awaitable[None]]

_log = structlog.get_logger("rooms")


class Conference:
    """Takes the events of the application `app`, and reconciles after every connect."""

    def __init__(
        self,
        ari: AriClient,
        control: AriRoomControl,
        attendance: Attendance,
        lobby: Lobby,
        prompter: Prompter,
        *,
        app: str,
        measures: Measures,
    ) -> None:
        self._ari = ari
        self._control = control
        self._attendance = attendance
        self._lobby = lobby
        self._prompter = prompter
        self._app = app
        self._measures = measures
        self._callers: dict[str, tuple[Keypad, asyncio.Task[None]]] = {}
        self._room_of: dict[str, str] = {}
        self._repair: asyncio.Task[None] | None = None
        self._dispatch = OrderedDispatch[tuple[str, Note]](
            self._work,
            key=lambda item: item[0],
            on_overflow=self._reconcile_later,
            measures=measures,
            name="room_event",
        )

    # -- from the event socket --------------------------------------------------------------------

    def receive(self, event: events.Event) -> None:
        """Take one event; never waits."""
        if event.application != self._app:
            return
        match event:
            case events.StasisStart():
                self._started(event)
            case events.ChannelDtmfReceived(channel=channel, digit=digit):
                if channel.id in self._callers:
                    self._callers[channel.id][0].press(digit)
            case events.PlaybackFinished(playback=playback):
                self._prompter.finished(playback.id)
            case events.StasisEnd(channel=channel):
                self._gone(channel.id, None)
            case events.ChannelDestroyed(channel=channel, cause=cause):
                self._gone(channel.id, cause)
            case _:
                self._receive_of_room(event)

    def _receive_of_room(self, event: events.Event) -> None:
        attendance = self._attendance
        match event:
            case events.ChannelEnteredBridge(bridge=bridge, channel=channel):
                self._put(bridge.id, lambda room: attendance.member_entered(room, channel.id))
            case events.ChannelLeftBridge(bridge=bridge, channel=channel):
                self._put(bridge.id, lambda room: attendance.member_left(room, channel.id))
            case events.BridgeDestroyed(bridge=bridge):
                self._put(bridge.id, attendance.bridge_lost)
            case (
                events.RecordingFinished(recording=recording)
                | events.RecordingFailed(recording=recording)
            ):
                self._put(
                    recording.name, lambda room: attendance.recording_over(room, recording.name)
                )
            case _:
                return

    def _started(self, event: events.StasisStart) -> None:
        channel, replaced = event.channel, event.replace_channel
        if _room_id(channel.id) is not None:
            self._put(channel.id, lambda room: self._attendance.arrived(room, channel.id))
        elif replaced is not None and replaced.id in self._room_of:
            room_id = self._room_of[channel.id] = self._room_of[replaced.id]
            visitor = self._lobby.visitor(channel)
            self._note(room_id, lambda: self._attendance.replaced(room_id, replaced.id, visitor))
        else:
            self._welcome(channel, event.args[0] if event.args else "")

    def _gone(self, channel_id: str, cause: int | None) -> None:
        caller = self._callers.pop(channel_id, None)
        if caller is not None:
            caller[1].cancel()
        room_id = self._room_of.pop(channel_id, None) or _room_id(channel_id)
        if room_id is not None:
            self._note(room_id, lambda: self._attendance.member_gone(room_id, channel_id, cause))

    # -- callers ----------------------------------------------------------------------------------

    def _welcome(self, channel: Channel, number: str) -> None:
        # A socket that Asterisk keeps for us tells of channels that a reconciliation has found.
        if channel.id in self._callers or channel.id in self._room_of:
            return
        keypad = Keypad()
        is_late = len(self._callers) >= MAX_CALLERS
        leading = self._turn_away(channel) if is_late else self._lead(channel, number, keypad)
        task = asyncio.create_task(leading, name=f"caller-{channel.id}")
        self._callers[channel.id] = keypad, task
        task.add_done_callback(lambda _: self._callers.pop(channel.id, None))

    async def _lead(self, channel: Channel, number: str, keypad: Keypad) -> None:
        try:
            room = await self._lobby.find(number)
            if room is not None:
                self._room_of[channel.id] = room.id
            if not await self._lobby.lead(room, channel, keypad):
                self._room_of.pop(channel.id, None)
        except Exception:  # noqa: BLE001 - whatever it was, nobody is left in silence
            _log.exception("caller_lost", unique_id=channel.id)
            await self._turn_away(channel)

    async def _turn_away(self, channel: Channel) -> None:
        self._measures.drops.add("room_caller")
        with suppress(AriError):
            await self._ari.hang_up(channel.id, cause=CONGESTION)

    # -- reconciliation ---------------------------------------------------------------------------

    async def reconcile(self) -> None:
        """Make the rooms agree with Asterisk; for `on_connected` of the link.

        Raises AriError and StoreError. A room that cannot be put right alone is logged.
        """
        self._control.is_linked = True
        rooms = await self._attendance.active()  # before Asterisk is asked: see `seated`
        channels = {channel.id: channel for channel in await self._ari.channels()}
        bridges = {
            bridge.id: bridge
            for bridge in await self._ari.bridges()
            if _room_id(bridge.id) is not None
        }
        if bridges:
            await self._ari.subscribe(self._app, *(f"bridge:{each}" for each in bridges))
        for room in rooms:
            await self._reconcile_room(room, bridges.pop(room.bridge_id, None), channels)
        rooms = await self._attendance.active()
        new = {room.bridge_id for room in rooms}
        for bridge in bridges.values():
            if bridge.id not in new:
                await self._remove(bridge)
        self._learn(rooms, frozenset(self._callers))
        self._welcome_again(channels.values())

    def lose(self, reason: str) -> None:  # noqa: ARG002 - the link's callback
        """Begin nothing until the next reconciliation; for `on_lost` of the link."""
        self._control.is_linked = False

    async def close(self) -> None:
        """Stop at once; the rooms and those in them stay as they are."""
        self._control.is_linked = False
        tasks = [task for _, task in self._callers.values()]
        if self._repair is not None:
            tasks.append(self._repair)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._dispatch.close()

    async def _reconcile_room(
        self, room: Room, bridge: Bridge | None, channels: Mapping[str, Channel]
    ) -> None:
        try:
            await self._attendance.reconcile(
                room.id,
                seated={each.channel for each in room.members if each.channel is not None},
                bridged=() if bridge is None else bridge.channels,
                alive=channels.keys(),
                answered=[each.id for each in channels.values() if each.state == "Up"],
                has_bridge=bridge is not None,
            )
        except (PbxError, RoomError) as error:
            _log.warning("room_out_of_step", room=room.id, reason=str(error))

    async def _remove(self, bridge: Bridge) -> None:
        """End what is left of a room that was closed meanwhile."""
        for channel in bridge.channels:
            await self._ari.hang_up(channel, cause=NORMAL_CLEARING)
        await self._ari.destroy_bridge(bridge.id)

    def _learn(self, rooms: Sequence[Room], arriving: Collection[str]) -> None:
        self._room_of = {
            member.channel: room.id
            for room in rooms
            for member in room.members
            if member.channel is not None
        } | {channel: room for channel, room in self._room_of.items() if channel in arriving}

    def _welcome_again(self, channels: Iterable[Channel]) -> None:
        """Lead those who were on their way in when we stopped; their event does not come again."""
        for channel in channels:
            app, number = _stasis_arguments(channel)
            if app == self._app:
                self._welcome(channel, number)

    def _reconcile_later(self, room_id: str) -> None:
        _log.error("room_events_lost", room=room_id)
        if self._repair is None or self._repair.done():
            self._repair = asyncio.create_task(self._reconcile_quietly(), name="rooms-repair")

    async def _reconcile_quietly(self) -> None:
        try:
            await self.reconcile()
        except (AriError, StoreError) as error:
            _log.warning("rooms_not_reconciled", reason=str(error))
        except Exception:  # noqa: BLE001 - the next connect, or loss, tries again
            _log.exception("rooms_not_reconciled")

    # -- one room's events, in order --------------------------------------------------------------

    def _put(self, name: str, note: Callable[[str], Awaitable[None]]) -> None:
        """Note an event of the room that a bridge, channel or recording is named after."""
        room_id = _room_id(name)
        if room_id is not None:
            self._note(room_id, lambda: note(room_id))

    def _note(self, room_id: str, note: Note) -> None:
        self._dispatch.put((room_id, note))

    async def _work(self, _: str, item: tuple[str, Note]) -> None:
        await item[1]()


def _room_id(name: str) -> str | None:
    found = _OURS.fullmatch(name)
    return None if found is None else found[1]


def _stasis_arguments(channel: Channel) -> tuple[str, str]:
    """The application that a channel is in, and the argument it came with; empty when in none."""
    data = text(part(channel.raw, "dialplan"), "app_data")
    application, _, arguments = data.partition(",")
    return application, arguments.partition(",")[0]
