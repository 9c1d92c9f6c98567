"""The application `sky-genesis-voip`: a caller has dialled one of our users.

    Stasis(sky-genesis-voip[,extension])

Callers from browsers, whose gateway has registered their call, are led by `browsers`.
The call is the one that the channel was registered as over AGI, or is registered now. All phones
of the extension are rung, the first to answer is connected, the others stop ringing.
"""

from datetime import UTC, datetime

import structlog

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError, AriNotFoundError
from fastagi_server.ari.events import StasisStart
from fastagi_server.ari.models import Channel
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.errors import CallError
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Leg, LegState
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.models import Call, CallType
from fastagi_server.calls.orders import CallOrder, arriving_channel, leg_id
from fastagi_server.stasis.browsers import BrowserCallers
from fastagi_server.stasis.effects import CALL_ID_VARIABLE, SYSTEM_VARIABLE, CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.switchboard import Switchboard
from fastagi_server.store.errors import StoreError

_log = structlog.stdlib.get_logger("calls")


class Arrivals:
    """Makes a live call of a channel that came by itself."""

    def __init__(
        self,
        ari: AriClient,
        journal: CallJournal,
        effects: CallEffects,
        switchboard: Switchboard,
        *,
        system_name: str,
    ) -> None:
        self._ari = ari
        self._journal = journal
        self._effects = effects
        self._switchboard = switchboard
        self._system_name = system_name
        self._arriving: set[str] = set()

    async def lead(
        self,
        channel: Channel,
        participant: str,
        endpoints: tuple[str, ...],
        *,
        refusal: int = Cause.UNALLOCATED,
    ) -> None:
        """Adopt the channel's call, ring the endpoints and connect the first to answer.

        A caller for whom there is nothing to ring hears the cause `refusal`.
        """
        # A socket that Asterisk keeps for us tells of callers that a reconciliation has found.
        if channel.id in self._arriving or self._switchboard.leads(channel.id):
            return
        self._arriving.add(channel.id)
        try:
            await self._lead(channel, participant, endpoints, refusal)
        finally:
            self._arriving.discard(channel.id)

    async def _lead(
        self, channel: Channel, participant: str, endpoints: tuple[str, ...], refusal: int
    ) -> None:
        try:
            call = await self._call_of(channel, participant)
            await self._effects.watch(channel.id)
        except (AriError, CallError, StoreError) as error:
            _log.warning("caller_not_served", unique_id=channel.id, reason=str(error))
            await self._turn_away(channel)
            return
        legs = [_caller(channel)]
        legs += [
            Leg(leg_id(call.id, number), endpoint, participant)
            for number, endpoint in enumerate(endpoints, 1)
        ]
        live = LiveCall(call.id, legs)
        self._switchboard.add(live)
        now = datetime.now(UTC)
        if endpoints:
            await self._switchboard.apply(call.id, LiveCall.begin)
        else:
            await self._switchboard.apply(call.id, lambda live: live.refuse(now, refusal))

    async def _turn_away(self, channel: Channel) -> None:
        try:
            await self._ari.hang_up(channel.id, cause=Cause.FAILURE)
        except AriError as error:
            _log.warning("caller_not_hung_up", unique_id=channel.id, reason=str(error))

    async def _call_of(self, channel: Channel, participant: str) -> Call:
        known = await self._registered(channel)
        if known is not None:
            return known
        order = CallOrder(
            (participant,),
            CallType.AUDIO,
            {
                "asterisk_call_id": channel.id,
                "asterisk_system": await self._system(channel),
                "asterisk_caller_channel": channel.name,
                "asterisk_context": channel.dialplan_context,
                "asterisk_dialled_number": channel.dialplan_exten,
                "caller_id": channel.caller_number,
                "caller_name": channel.caller_name,
            },
        )
        call = await self._journal.adopt(order)
        if not call.is_active:
            call = await self._journal.adopt_again(order)
        await self._ari.set_variable(channel.id, name=CALL_ID_VARIABLE, value=call.id)
        return call

    async def _system(self, channel: Channel) -> str:
        """The name that the dialplan registers calls under: a channel registered twice is one."""
        try:
            return await self._ari.variable(channel.id, name=SYSTEM_VARIABLE) or self._system_name
        except AriNotFoundError:
            return self._system_name

    async def _registered(self, channel: Channel) -> Call | None:
        """The call that the dialplan registered this channel as, if that is so and it goes on."""
        call_id = channel.variables.get(CALL_ID_VARIABLE)
        call = await self._journal.get(call_id) if call_id else None
        if call is None or arriving_channel(call) != channel.id:
            return None
        return call if call.is_active else None


class VoipApplication:
    """What `sky-genesis-voip` does with a caller."""

    def __init__(self, arrivals: Arrivals, endpoints: Endpoints, browsers: BrowserCallers) -> None:
        self._arrivals = arrivals
        self._endpoints = endpoints
        self._browsers = browsers

    async def enter(self, event: StasisStart) -> None:
        """Ring the phones of the extension: the first argument, or the one that was dialled."""
        if self._browsers.knows(event):
            await self._browsers.enter(event)
            return
        extension = event.args[0] if event.args else event.channel.dialplan_exten
        endpoints = self._endpoints.of_extension(extension)
        participant = f"SIP/{extension}" if endpoints else "unknown"
        await self._arrivals.lead(event.channel, participant, endpoints)


def _caller(channel: Channel) -> Leg:
    state = LegState.UP if channel.state == "Up" else LegState.RINGING
    return Leg(channel.id, participant=channel.caller_number, state=state)
