"""Operations on bridges: make them, put channels in, take them out, play music."""

from collections.abc import Mapping

from fastagi_server.ari import reading
from fastagi_server.ari.errors import (
    AriConflictError,
    AriNotFoundError,
    AriNotInStasisError,
    AriRefusedError,
)
from fastagi_server.ari.models import Bridge
from fastagi_server.ari.requester import Parameters, Requester

UNPROCESSABLE = 422


class BridgeOperations:
    """The part of `AriClient` about bridges; every method raises `AriError` only."""

    _requester: Requester

    async def bridges(self) -> list[Bridge]:
        """All bridges, those of the dialplan included."""
        found = await self._requester.ask("bridges", "GET", ("bridges",))
        return [Bridge.from_json(raw) for raw in reading.as_objects(found, "bridges")]

    async def bridge(self, bridge_id: str) -> Bridge:
        """One bridge; `AriNotFoundError` when it is gone."""
        found = await self._requester.ask("bridge", "GET", ("bridges", bridge_id))
        return Bridge.from_json(reading.as_object(found, "the bridge"))

    async def create_bridge(
        self,
        bridge_id: str,
        *,
        type: str = "mixing",  # noqa: A002 - ARI's word for it
        name: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Bridge:
        """Make a bridge; a repeated id is an `AriConflictError`.

        `type` is `mixing` or `holding`, with `dtmf_events` or `proxy_media` added to `mixing` by a
        comma: alone, Asterisk fails on those two. `variables` need `capabilities()`.
        """
        query: Parameters = {"type": type, "name": name}
        body = {"variables": dict(variables)} if variables else None
        found = await self._requester.ask(
            "create_bridge", "POST", ("bridges",), {**query, "bridgeId": bridge_id}, body
        )
        return Bridge.from_json(reading.as_object(found, "the bridge"))

    async def destroy_bridge(self, bridge_id: str) -> None:
        """End a bridge; its channels live on outside. One that has gone already is as good.

        So is one that is going: Asterisk still shows it then, as one that is in no application.
        """
        try:
            await self._requester.ask("destroy_bridge", "DELETE", ("bridges", bridge_id))
        except (AriNotFoundError, AriConflictError, AriNotInStasisError):
            return

    async def add_to_bridge(
        self, bridge_id: str, *channel_ids: str, mute: bool = False, role: str = ""
    ) -> None:
        """Put channels into a bridge, out of any other.

        `AriNotInStasisError` before their `StasisStart`; `AriNotFoundError` when the bridge or a
        channel is gone. `role` is announcer or participant, in a holding bridge.
        """
        query: Parameters = {"channel": ",".join(channel_ids), "mute": mute, "role": role}
        path = ("bridges", bridge_id, "addChannel")
        await self._requester.ask("add_to_bridge", "POST", path, query)

    async def remove_from_bridge(self, bridge_id: str, channel_id: str) -> None:
        """Take a channel out of a bridge; one that is not in it any more is as good."""
        query: Parameters = {"channel": channel_id}
        path = ("bridges", bridge_id, "removeChannel")
        try:
            await self._requester.ask("remove_from_bridge", "POST", path, query)
        except (AriNotFoundError, AriConflictError, AriNotInStasisError):
            return
        except AriRefusedError as error:
            if error.status != UNPROCESSABLE:
                raise

    async def start_bridge_music(self, bridge_id: str, *, music_class: str = "") -> None:
        """Play music on hold to all in a bridge."""
        query: Parameters = {"mohClass": music_class}
        await self._requester.ask(
            "start_bridge_music", "POST", ("bridges", bridge_id, "moh"), query
        )

    async def stop_bridge_music(self, bridge_id: str) -> None:
        """Stop the music of a bridge."""
        await self._requester.ask("stop_bridge_music", "DELETE", ("bridges", bridge_id, "moh"))
