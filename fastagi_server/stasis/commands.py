"""What a party does with a call that is under way: hold, mute, keys, sounds, transfer."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from fastagi_server.ari.client import AriClient
from fastagi_server.calls import commands
from fastagi_server.calls.errors import CallStateError
from fastagi_server.calls.legs import Effect, Leg
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.orders import bridge_id, leg_id
from fastagi_server.stasis.endpoints import Endpoints


class CommandDesk:
    """Does what ARI does with one request, and says which effects the rest of a command has."""

    def __init__(self, ari: AriClient, endpoints: Endpoints) -> None:
        self._ari = ari
        self._endpoints = endpoints

    async def perform(
        self, live: LiveCall, command: commands.Command, actor: str, own: frozenset[str]
    ) -> Sequence[Effect]:
        """Carry out a command of an actor whose participants are `own`.

        Raises CallStateError and AriError.
        """
        if live.connected_at is None or live.is_ended:
            raise CallStateError("The call is not connected")
        now, own = datetime.now(UTC), own | {actor}
        match command:
            case commands.Hold(participant):
                return live.park(self._holder(live, participant, own), now, actor)
            case commands.Unhold():
                return live.unpark(now, actor)
            case commands.Transfer():
                return self._transfer(live, command, own)
            case _:
                await self._direct(live, command, own)
                return []

    async def _direct(
        self,
        live: LiveCall,
        command: commands.Mute | commands.Unmute | commands.SendDtmf | commands.Play,
        own: frozenset[str],
    ) -> None:
        match command:
            case commands.Mute(participant, direction):
                leg = self._leg(live, participant, own)
                await self._ari.mute(leg.channel_id, direction=direction)
            case commands.Unmute(participant, direction):
                leg = self._leg(live, participant, own)
                await self._ari.unmute(leg.channel_id, direction=direction)
            case commands.SendDtmf(digits, participant):
                for leg in _others(live, self._leg(live, participant, own)):
                    await self._ari.send_dtmf(leg.channel_id, digits)
            case commands.Play():
                await self._play(live, command, own)

    async def _play(self, live: LiveCall, command: commands.Play, own: frozenset[str]) -> None:
        media, playback = f"sound:{command.sound}", str(uuid.uuid4())
        if command.participant is None:
            bridge = bridge_id(live.call_id)
            await self._ari.play_to_bridge(bridge, media=media, playback_id=playback)
            return
        # A channel in a bridge plays only to its own phone, and only through a bridge of its own.
        leg = self._leg(live, command.participant, own)
        await self._ari.play(leg.channel_id, media=media, playback_id=playback)

    def _transfer(
        self, live: LiveCall, command: commands.Transfer, own: frozenset[str]
    ) -> Sequence[Effect]:
        leaving = self._leg(live, command.participant, own)
        if not _others(live, leaving):
            raise CallStateError("Nobody would be left in the call")
        new = Leg(
            leg_id(live.call_id, len(live.legs)),
            self._endpoints.of_dial_string(command.to),
            command.to,
        )
        return live.transfer(leaving, new)

    def _leg(self, live: LiveCall, participant: str | None, own: frozenset[str]) -> Leg:
        """The leg that is meant: the named one, else the asker's own, else the caller's."""
        present = [leg for leg in live.legs if leg.is_present]
        if participant is not None:
            named = self._named(present, frozenset({participant}))
            if named is None:
                raise CallStateError("This participant has no channel in the call")
            return named
        found = self._named(present, own) or next(iter(present), None)
        if found is None:
            raise CallStateError("The call has no channel")
        return found

    def _named(self, legs: Sequence[Leg], names: frozenset[str]) -> Leg | None:
        """The leg of one of these; of a user, whose browser may ring for a number, his browser."""
        user_of = self._endpoints.browsers.user_of
        browsers = (leg for leg in legs if user_of(leg.endpoint) in names)
        return next(browsers, None) or next((leg for leg in legs if leg.participant in names), None)

    def _holder(self, live: LiveCall, participant: str | None, own: frozenset[str]) -> Leg | None:
        """Who does not hear the music: nobody where only one phone is in the call."""
        leg = self._leg(live, participant, own)
        return leg if _others(live, leg) else None


def _others(live: LiveCall, leg: Leg) -> list[Leg]:
    return [each for each in live.legs if each.is_present and each is not leg]
