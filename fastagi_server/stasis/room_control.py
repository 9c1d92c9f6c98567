"""The PBX's side of rooms, over ARI: the port `rooms.ports.RoomControl`.

A room is a bridge of our own id. Its members' channels are in the application of conferences;
those who wait hear music outside of the bridge.
"""

from collections.abc import Generator
from contextlib import contextmanager, suppress

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import (
    AriConflictError,
    AriError,
    AriNotFoundError,
    AriNotInStasisError,
)
from fastagi_server.calls.errors import PbxUnreachableError
from fastagi_server.rooms.models import BridgeType, Member, Room
from fastagi_server.stasis.effects import BROWSER_FORMATS, SESSION_HEADER
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.failures import as_pbx_errors

MAX_RECORDING_SECONDS = 4 * 60 * 60
"""A forgotten recording ends by itself: 230 MB of telephone quality."""

ROOM = "room-"
"""Before the room's id in the header that tells the gateway what a browser is rung for."""

NORMAL_CLEARING = 16


class AriRoomControl:
    """Bridges and channels of rooms in one Asterisk; `app` is the application of conferences.

    `is_linked` is set by whoever keeps the event socket: without events nothing is begun, because
    nobody would notice what becomes of it. A telephone rings for `ring_seconds` at most.
    """

    def __init__(
        self, ari: AriClient, endpoints: Endpoints, *, app: str, ring_seconds: int
    ) -> None:
        self.is_linked = False
        self._ari = ari
        self._endpoints = endpoints
        self._app = app
        self._ring_seconds = ring_seconds

    async def open(self, room: Room) -> None:
        """See BridgeControl."""
        self._require_link()
        with as_pbx_errors():
            try:
                await self._open(room)
            except AriError:
                with suppress(AriError):
                    await self._ari.destroy_bridge(room.bridge_id)
                raise

    async def close(self, room: Room) -> None:
        """See BridgeControl."""
        self._require_link()
        with as_pbx_errors():
            await self._ari.destroy_bridge(room.bridge_id)

    async def start_recording(self, room: Room, name: str) -> None:
        """See BridgeControl."""
        self._require_link()
        with as_pbx_errors():
            await self._ari.record_bridge(
                room.bridge_id, name=name, max_seconds=MAX_RECORDING_SECONDS
            )

    async def stop_recording(self, room: Room, name: str) -> None:  # noqa: ARG002 - the port's
        """See BridgeControl."""
        with as_pbx_errors():
            await self._ari.stop_recording(name)

    async def ring(self, room: Room, member: Member, endpoint: str) -> None:
        """See LegControl."""
        self._require_link()
        channel = member.channel or ""
        is_browser = self._endpoints.browsers.user_of(endpoint) is not None
        name = f"PJSIP_HEADER(add,{SESSION_HEADER})"
        with as_pbx_errors():
            try:
                await self._ari.originate(
                    self._endpoints.of_dial_string(endpoint),
                    app=self._app,
                    channel_id=channel,
                    caller_id=f"9{room.number}" if room.number else "",
                    timeout=self._ring_seconds,
                    variables={name: f"{ROOM}{room.id}"} if is_browser else None,
                    formats=BROWSER_FORMATS if is_browser else "",
                )
            except AriError as error:
                if error.outcome_unknown:
                    with suppress(AriError):
                        await self._ari.hang_up(channel)
                raise

    async def hang_up(self, channel: str, cause: int) -> None:
        """See LegControl."""
        with as_pbx_errors():
            await self._ari.hang_up(channel, cause=cause)

    async def admit(self, room: Room, member: Member) -> None:
        """See FloorControl."""
        channel = member.channel or ""
        with as_pbx_errors(), _gone_is_fine():
            await self._ari.stop_music(channel)
            if member.is_muted:
                await self._ari.mute(channel)
            try:
                await self._ari.add_to_bridge(room.bridge_id, channel)
            except AriNotFoundError:
                # One of the two is not there: the bridge can be helped.
                await self._open(room)
                await self._ari.add_to_bridge(room.bridge_id, channel)

    async def set_aside(self, room: Room, member: Member) -> None:
        """See FloorControl."""
        channel = member.channel or ""
        with as_pbx_errors(), _gone_is_fine():
            await self._ari.remove_from_bridge(room.bridge_id, channel)
            await self._ari.start_music(channel)

    async def mute(self, room: Room, member: Member) -> None:  # noqa: ARG002 - the port's
        """See FloorControl."""
        channel = member.channel or ""
        with as_pbx_errors(), _gone_is_fine():
            if member.is_muted:
                await self._ari.mute(channel)
            else:
                await self._ari.unmute(channel)

    async def _open(self, room: Room) -> None:
        rules = room.settings
        with suppress(AriConflictError):  # ours from before
            await self._ari.create_bridge(
                room.bridge_id, type=rules.bridge_type.of_asterisk, name=room.name
            )
        await self._ari.subscribe(self._app, f"bridge:{room.bridge_id}")
        if rules.bridge_type is BridgeType.HOLDING:
            await self._ari.start_bridge_music(room.bridge_id)

    def _require_link(self) -> None:
        if not self.is_linked:
            raise PbxUnreachableError("The PBX cannot be reached")


@contextmanager
def _gone_is_fine() -> Generator[None]:
    """A channel that has ended or left the application tells so by its own event."""
    try:
        yield
    except (AriNotFoundError, AriNotInStasisError, AriConflictError):
        return
