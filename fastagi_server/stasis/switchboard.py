"""Who is live: the calls under way, which channel belongs to which, and what is asked of them.

Events and requests of one call take turns; different calls never wait for each other.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastagi_server.ari import events
from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError, AriNotFoundError
from fastagi_server.ari.models import Channel
from fastagi_server.calls.commands import Command
from fastagi_server.calls.errors import CallStateError, PbxUnreachableError
from fastagi_server.calls.legs import Dial, Effect, Leg, LegState
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.models import Call, CallType
from fastagi_server.calls.orders import leg_id, rung_participants
from fastagi_server.calls.quality import REPORTS
from fastagi_server.stasis.commands import CommandDesk
from fastagi_server.stasis.effects import CALL_ID_VARIABLE, CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.failures import as_pbx_errors, pbx_error
from fastagi_server.telemetry.subject import learn

Decide = Callable[[LiveCall], Sequence[Effect]]

WITH_PICTURES = frozenset({CallType.VIDEO, CallType.SCREEN})

_STATES = {"Up": LegState.UP, "Ringing": LegState.RINGING, "Ring": LegState.RINGING}


class Switchboard:
    """The live calls of one Asterisk, and the CallControl port for it.

    `is_linked` is set by whoever keeps the event socket: without events nothing is placed, because
    a channel that enters an application nobody listens for would be lost.
    """

    def __init__(self, ari: AriClient, effects: CallEffects, endpoints: Endpoints) -> None:
        self.is_linked = False
        self._ari = ari
        self._effects = effects
        self._endpoints = endpoints
        self._desk = CommandDesk(ari, endpoints)
        self._live: dict[str, LiveCall] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._call_of: dict[str, str] = {}

    # -- who is live ------------------------------------------------------------------------------

    @property
    def calls(self) -> Sequence[LiveCall]:
        """All calls that are led here, also those that are just being hung up."""
        return tuple(self._live.values())

    def call_of(self, channel_id: str) -> str | None:
        """The id of the live call that a channel is a leg of."""
        return self._call_of.get(channel_id)

    def leads_call(self, call_id: str) -> bool:
        """Whether a call is led here, also one that is just being hung up."""
        return call_id in self._live

    def leads(self, channel_id: str) -> bool:
        """Whether a channel is a leg that is not gone; one that has come again is none yet."""
        live = self._live.get(self._call_of.get(channel_id, ""))
        return live is not None and live.leg(channel_id) is not None

    def add(self, live: LiveCall) -> None:
        """Lead a call from now on."""
        self._live[live.call_id] = live
        self._turns[live.call_id] = asyncio.Lock()
        self._learn_channels(live)

    async def apply(self, call_id: str, decide: Decide) -> bool:
        """Let a live call decide, and carry out what it orders; False when it is not live."""
        async with self._turn(call_id) as live:
            if live is not None:
                await self._carry_out(live, decide(live))
        return live is not None

    async def prepare(self, call_id: str, decide: Decide) -> Callable[[], Awaitable[None]] | None:
        """Let a live call decide now; what carries out its orders, None where there are none.

        Until that has been awaited nothing else happens to the call.
        """
        turn = self._turns[call_id]
        await turn.acquire()
        live = self._live.get(call_id)
        effects = () if live is None else decide(live)
        if live is None or not effects:
            turn.release()
            return None

        async def carry_out() -> None:
            try:
                await self._carry_out(live, effects)
            finally:
                turn.release()

        return carry_out

    def entered(self, channel_id: str) -> None:
        """A channel that was just made is in its application."""
        self._effects.entered(channel_id)

    def hands_over(self, channel_id: str) -> None:
        """Another channel takes the place of this one, of whose end is told by other events."""
        live = self._live.get(self._call_of.get(channel_id, ""))
        if live is not None:
            live.hand_over(channel_id)

    async def replace(self, old: str, heir: Channel, at: datetime) -> None:
        """Lead a channel that has taken the place of a leg here: a phone has transferred a call."""
        call_id = self.call_of(old)
        # What Asterisk calls the joining of two calls is no number that anybody dials.
        to = heir.dialplan_exten if heir.dialplan_exten.isalnum() else ""
        leg = Leg(heir.id, "", heir.name.rpartition("-")[0], leg_state(heir))
        if call_id is None:
            return
        await self.apply(call_id, lambda live: live.replaced(old, leg, to, at))
        try:
            await self._effects.watch(heir.id)
        except AriError:
            # It is gone already, or nothing more will be told of it.
            await self.apply(call_id, lambda live: live.gone(heir.id, None, at))

    async def join(self, channel: Channel, call_id: str, user: str, *, calls: bool) -> bool:
        """Let the channel of a user's browser take part in a live call; False when it is none."""
        leg = Leg(channel.id, "", user, LegState.RINGING)
        now = datetime.now(UTC)
        return await self.apply(call_id, lambda live: live.arrives(leg, now, calls=calls))

    async def receive(self, event: events.Event) -> None:
        """Take one event about a channel that is a leg here."""
        for channel_id, report in reports(event):
            call_id = self.call_of(channel_id)
            if call_id is not None:
                learn(call=call_id)
                await self.apply(call_id, report)

    # -- what is asked: the port CallControl ------------------------------------------------------

    async def originate(self, call: Call, recorded: Awaitable[object]) -> None:
        """Ring the first participant that is a dial string; the others when it answers.

        Users come last, those who can be reached in a browser. The first one's channel is made
        while the record is written, and dialled after that.
        """
        self._require_link()
        live = self._planned(call)
        self.add(live)
        async with self._turns[call.id]:
            try:
                for order in live.begin():
                    if isinstance(order, Dial):
                        await self._effects.dial(call.id, order, recorded)
            except AriError as error:
                self._forget(live)
                raise pbx_error(error) from error
            except Exception:
                self._forget(live)
                raise

    async def accept(self, call: Call, actor: str) -> bool:
        """Answer a caller who is ringing us; False when there is none.

        Raises CallStateError where it rings in a page of the actor, which then has the media.
        """
        accepted = False
        user_of = self._endpoints.browsers.user_of

        def decide(live: LiveCall) -> Sequence[Effect]:
            nonlocal accepted
            if any(leg.is_pending and user_of(leg.endpoint) == actor for leg in live.legs):
                raise CallStateError("The call rings in a page of yours, and is answered there")
            effects = live.accept(datetime.now(UTC), actor)
            accepted = bool(effects)
            return effects

        await self.apply(call.id, decide)
        return accepted

    async def hang_up(self, call: Call, actor: str) -> bool:
        """End all channels of the call; False when it is not led here."""
        if call.id not in self._live and call.channel is None:
            return False
        self._require_link()
        if await self.apply(call.id, lambda live: live.end(datetime.now(UTC), actor=actor)):
            return True
        await self._hang_up_adopted(call)
        return False

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        """Do something with a call under way."""
        self._require_link()
        async with self._turn(call.id) as live:
            if live is None:
                raise CallStateError("The PBX does not lead this call")
            with as_pbx_errors():
                effects = await self._desk.perform(live, command, actor, own)
            await self._carry_out(live, effects)

    # -- inside -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _turn(self, call_id: str) -> AsyncGenerator[LiveCall | None]:
        """The live call, to oneself; None when it is not live, or ended while one waited."""
        turn = self._turns.get(call_id)
        if turn is None:
            yield None
            return
        async with turn:
            yield self._live.get(call_id)

    async def _carry_out(self, live: LiveCall, effects: Sequence[Effect]) -> None:
        self._learn_channels(live)
        await self._effects.carry_out(live, effects)
        if live.is_over:
            self._forget(live)

    def _planned(self, call: Call) -> LiveCall:
        legs = [
            Leg(leg_id(call.id, number), endpoint, each)
            for number, each in enumerate(rung_participants(call))
            for endpoint in self._endpoints.of_leg(each)
        ]
        return LiveCall(
            call.id,
            legs,
            is_conference=call.call_type is CallType.CONFERENCE,
            has_video=call.call_type in WITH_PICTURES,
        )

    async def _hang_up_adopted(self, call: Call) -> None:
        """End the channel of a call that the dialplan leads, if it is this Asterisk's."""
        if call.channel is None:
            return
        with as_pbx_errors():
            try:
                channel = await self._ari.channel(call.channel.unique_id)
            except AriNotFoundError:
                return
            # Two Asterisks may use the same unique id; the variable is this call's alone.
            if channel.variables.get(CALL_ID_VARIABLE) == call.id:
                await self._ari.hang_up(channel.id)

    def _require_link(self) -> None:
        if not self.is_linked:
            raise PbxUnreachableError("The PBX cannot be reached")

    def _learn_channels(self, live: LiveCall) -> None:
        for leg in live.legs:
            self._call_of[leg.channel_id] = live.call_id

    def _forget(self, live: LiveCall) -> None:
        self._live.pop(live.call_id, None)
        self._turns.pop(live.call_id, None)
        for leg in live.legs:
            # A channel may have come again, as another call.
            if self._call_of.get(leg.channel_id) == live.call_id:
                del self._call_of[leg.channel_id]


def leg_state(channel: Channel) -> LegState:
    """Where a leg stands whose channel exists."""
    return _STATES.get(channel.state, LegState.DIALLING)


def reports(event: events.Event) -> list[tuple[str, Decide]]:
    """What an event means to the live calls of channels: channel ids, and what to tell the call."""
    at = event.timestamp
    match event:
        case events.ChannelStateChange(channel=channel) if channel.state == "Ringing":
            return [(channel.id, lambda live: live.rings(channel.id, at))]
        case events.ChannelStateChange(channel=channel) if channel.state == "Up":
            return [(channel.id, lambda live: live.answers(channel.id, at))]
        case events.ChannelHangupRequest(channel=channel, soft=soft):
            return [(channel.id, lambda live: live.ending(channel.id, hung_up=not soft))]
        case events.ChannelVarset(variable=name, value=text, channel=Channel(id=of)):
            return [(of, lambda live: live.sounded(of, text))] if name in REPORTS else []
        case events.StasisEnd(channel=channel):
            return [(channel.id, lambda live: live.left(channel.id, at))]
        case events.ChannelDestroyed(channel=channel, cause=cause):
            return [(channel.id, lambda live: live.gone(channel.id, cause, at))]
        case events.ChannelHold(channel=channel):
            return [(channel.id, lambda live: live.held(channel.id, at))]
        case events.ChannelUnhold(channel=channel):
            return [(channel.id, lambda live: live.resumed(channel.id, at))]
        case _:
            return []
