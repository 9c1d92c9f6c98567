"""Callers from browsers in the application `sky-genesis-voip`: each names the call that it is of.

    Stasis(sky-genesis-voip,browser,<call id>)

The gateway says which call that is, and has seen to it that its user may take part. The caller's
own channel begins the call: its participants are rung. Any other takes part in one that is led.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError, AriNotFoundError
from fastagi_server.ari.events import StasisStart
from fastagi_server.ari.models import Channel
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Leg, LegState
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.models import Call, CallType
from fastagi_server.calls.orders import leg_id
from fastagi_server.calls.participants import is_dial_string
from fastagi_server.identities.browsers import user_at
from fastagi_server.stasis.effects import CALL_ID_VARIABLE, CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.switchboard import WITH_PICTURES, Switchboard
from fastagi_server.store.errors import StoreError

BROWSER = "browser"
"""The first argument of the application for a channel of the gateway."""

_log = structlog.stdlib.get_logger("calls")


class BrowserCallers:
    """Brings the channels of browsers into their calls."""

    def __init__(
        self,
        ari: AriClient,
        journal: CallJournal,
        effects: CallEffects,
        switchboard: Switchboard,
        endpoints: Endpoints,
    ) -> None:
        self._ari = ari
        self._journal = journal
        self._effects = effects
        self._switchboard = switchboard
        self._endpoints = endpoints
        self._arriving: set[str] = set()

    def knows(self, event: StasisStart) -> bool:
        """Whether this is a browser's channel: the argument is believed of the gateway alone."""
        is_browser = self._endpoints.browsers.has_channel(event.channel.name)
        return is_browser and event.args[:1] == (BROWSER,)

    async def enter(self, event: StasisStart) -> None:
        """Bring the channel into the call that it names; hang it up where there is none."""
        channel = event.channel
        if channel.id in self._arriving or self._switchboard.leads(channel.id):
            return
        self._arriving.add(channel.id)
        try:
            await self._bring(channel, "".join(event.args[1:2]))
        except (AriError, StoreError) as error:
            _log.warning("caller_not_served", unique_id=channel.id, reason=str(error))
            await self._turn_away(channel, Cause.FAILURE)
        finally:
            self._arriving.discard(channel.id)

    async def _bring(self, channel: Channel, call_id: str) -> None:
        call = await self._journal.get(call_id)
        if call is None or not call.is_active:
            await self._turn_away(channel, Cause.NORMAL)
            return
        await self._ari.set_variable(channel.id, name=CALL_ID_VARIABLE, value=call.id)
        await self._effects.watch(channel.id)
        user = user_at(channel.caller_number) or ""
        calls = user == call.caller_id
        if await self._switchboard.join(channel, call.id, user, calls=calls):
            return
        legs = await self._legs(call, channel, user)
        # Meanwhile it may have ended, or another channel of the caller have begun it.
        found = await self._journal.get(call.id)
        if found is None or not found.is_active:
            await self._turn_away(channel, Cause.NORMAL)
        elif not await self._switchboard.join(channel, call.id, user, calls=calls):
            await self._begin(call, legs)

    async def _legs(self, call: Call, channel: Channel, user: str) -> Sequence[Leg]:
        """The caller's own leg, and those of whom Asterisk can ring."""
        rung = [
            (endpoint, participant)
            for participant in call.participants
            for endpoint in self._endpoints.of_participant(participant)
            if await self._is_known(endpoint)
        ]
        return [
            Leg(channel.id, "", user, LegState.RINGING),
            *(
                Leg(leg_id(call.id, number), endpoint, participant)
                for number, (endpoint, participant) in enumerate(rung, 1)
            ),
        ]

    async def _begin(self, call: Call, legs: Sequence[Leg]) -> None:
        is_conference = call.call_type is CallType.CONFERENCE
        has_video = call.call_type in WITH_PICTURES
        self._switchboard.add(
            LiveCall(call.id, legs, is_conference=is_conference, has_video=has_video)
        )
        now, refusal = datetime.now(UTC), _refusal(call.participants)
        if len(legs) > 1:
            await self._switchboard.apply(call.id, LiveCall.begin)
        else:
            await self._switchboard.apply(call.id, lambda live: live.refuse(now, refusal))

    async def _is_known(self, endpoint: str) -> bool:
        """Whether Asterisk has such a telephone: to a caller that is not the same as one away."""
        technology, _, resource = endpoint.partition("/")
        if technology != "PJSIP" or "@" in resource or "/" in resource:
            return True
        try:
            await self._ari.endpoint(technology, resource)
        except AriNotFoundError:
            return False
        return True

    async def _turn_away(self, channel: Channel, cause: int) -> None:
        try:
            await self._ari.hang_up(channel.id, cause=cause)
        except AriError as error:
            _log.warning("caller_not_hung_up", unique_id=channel.id, reason=str(error))


def _refusal(participants: Sequence[str]) -> int:
    """Why nobody is rung: there is no such number, or, of users, none can be reached."""
    return Cause.UNALLOCATED if any(map(is_dial_string, participants)) else Cause.ABSENT
