"""Operations on Asterisk itself: what it is, what it can, endpoints, applications, objects."""

from collections.abc import Mapping

from fastagi_server.ari import reading
from fastagi_server.ari.errors import AriNotFoundError
from fastagi_server.ari.models import Application, AsteriskInfo, Capabilities, Endpoint
from fastagi_server.ari.reading import Json
from fastagi_server.ari.requester import Requester


class SystemOperations:
    """The part of `AriClient` about Asterisk as a whole; every method raises `AriError` only."""

    _requester: Requester

    async def info(self) -> AsteriskInfo:
        """Which Asterisk this is and since when it runs."""
        found = await self._requester.ask("info", "GET", ("asterisk", "info"))
        return AsteriskInfo.from_json(reading.as_object(found, "the info"))

    async def ping(self) -> None:
        """Have an answer, any answer that is ARI's."""
        found = await self._requester.ask("ping", "GET", ("asterisk", "ping"))
        reading.as_object(found, "the ping")

    async def capabilities(self) -> Capabilities:
        """What ARI describes itself to have; a version number does not tell it."""
        channels = await self._description("channels")
        bridges = await self._description("bridges")
        events = reading.part(await self._description("events"), "models")
        return Capabilities(
            progress="/channels/{channelId}/progress" in _paths(channels),
            move="/channels/{channelId}/move" in _paths(channels),
            rest_over_socket="RESTRequest" in events,
            outbound_sockets="ApplicationRegistered" in events,
            bridge_variables="/bridges/{bridgeId}/variables" in _paths(bridges),
            call_broadcast="CallBroadcast" in events,
        )

    async def global_variable(self, name: str) -> str:
        """A global variable of the dialplan; empty when it is not set."""
        found = await self._requester.ask(
            "global_variable", "GET", ("asterisk", "variable"), {"variable": name}
        )
        return reading.text(reading.as_object(found, "the variable"), "value")

    async def endpoints(self) -> list[Endpoint]:
        """All configured endpoints."""
        found = await self._requester.ask("endpoints", "GET", ("endpoints",))
        return [Endpoint.from_json(raw) for raw in reading.as_objects(found, "endpoints")]

    async def endpoint(self, technology: str, resource: str) -> Endpoint:
        """One endpoint; `AriNotFoundError` when there is none of that name."""
        found = await self._requester.ask("endpoint", "GET", ("endpoints", technology, resource))
        return Endpoint.from_json(reading.as_object(found, "the endpoint"))

    async def applications(self) -> list[Application]:
        """All registered Stasis applications."""
        found = await self._requester.ask("applications", "GET", ("applications",))
        return [Application.from_json(raw) for raw in reading.as_objects(found, "applications")]

    async def subscribe(self, app: str, *sources: str) -> Application:
        """Let `app` have the events of sources; twice is as good as once.

        A source is `channel:ID`, `bridge:ID`, `endpoint:TECHNOLOGY/RESOURCE`,
        `endpoint:TECHNOLOGY` or `deviceState:NAME`.
        """
        return await self._subscription("subscribe", "POST", app, sources)

    async def unsubscribe(self, app: str, *sources: str) -> Application:
        """Take subscriptions back; one that is not there is refused with a 422."""
        return await self._subscription("unsubscribe", "DELETE", app, sources)

    async def put_config(
        self, config_class: str, object_type: str, object_id: str, fields: Mapping[str, str]
    ) -> None:
        """Make or change a dynamic object, such as `res_pjsip`, `endpoint`, `1001`.

        sorcery.conf must give the type a wizard that can be written; 403 else.
        """
        body = {"fields": [{"attribute": name, "value": value} for name, value in fields.items()]}
        path = _config_path(config_class, object_type, object_id)
        await self._requester.ask("put_config", "PUT", path, body=body)

    async def delete_config(self, config_class: str, object_type: str, object_id: str) -> None:
        """Remove a dynamic object; one that is not there is as good."""
        path = _config_path(config_class, object_type, object_id)
        try:
            await self._requester.ask("delete_config", "DELETE", path)
        except AriNotFoundError:
            return

    async def _subscription(
        self, operation: str, method: str, app: str, sources: tuple[str, ...]
    ) -> Application:
        found = await self._requester.ask(
            operation,
            method,
            ("applications", app, "subscription"),
            {"eventSource": ",".join(sources)},
        )
        return Application.from_json(reading.as_object(found, "the application"))

    async def _description(self, resource: str) -> Json:
        path = ("api-docs", f"{resource}.json")
        return reading.as_object(await self._requester.ask("api_docs", "GET", path), resource)


def _paths(description: Json) -> set[str]:
    apis = reading.as_objects(description.get("apis"), "apis")
    return {reading.text(api, "path") for api in apis}


def _config_path(config_class: str, object_type: str, object_id: str) -> tuple[str, ...]:
    return ("asterisk", "config", "dynamic", config_class, object_type, object_id)
