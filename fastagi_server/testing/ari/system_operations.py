"""ARI's operations on Asterisk itself, on sounds and on recordings, as the fake answers them."""

from fastagi_server.testing.ari.http import Answer, RefusalError, Request
from fastagi_server.testing.ari.objects import Json, timestamp
from fastagi_server.testing.ari.world import ENTITY_ID, PhoneState, World

NO_CONTENT = Answer(204)
VERSION = "22.10.1"

DESCRIPTIONS: dict[str, Json] = {
    "channels.json": {
        "apis": [
            {"path": "/channels/{channelId}/progress"},
            {"path": "/channels/{channelId}/move"},
        ]
    },
    "bridges.json": {"apis": [{"path": "/bridges/{bridgeId}/variables"}]},
    "events.json": {
        "models": {"RESTRequest": {}, "ApplicationRegistered": {}, "CallBroadcast": {}}
    },
}


class SystemOperations:
    """Answers requests that are about no channel and no bridge."""

    def __init__(self, world: World) -> None:
        self._world = world

    def respond(self, request: Request) -> Answer:
        """The answer to one request; raises `RefusalError`."""
        match request.method, request.path:
            case "GET", ("asterisk", "info"):
                return Answer(200, self._info())
            case "GET", ("asterisk", "ping"):
                ping = {"ping": "pong", "timestamp": timestamp(), "asterisk_id": ENTITY_ID}
                return Answer(200, ping)
            case "GET", ("asterisk", "variable"):
                value = self._world.variables.get(request.query["variable"], "")
                return Answer(200, {"value": value})
            case _, ("asterisk", "config", "dynamic", *names):
                return self._config(tuple(names), request)
            case "GET", ("api-docs", name) if name in DESCRIPTIONS:
                return Answer(200, DESCRIPTIONS[name])
            case "GET", ("endpoints",):
                return Answer(200, [self._endpoint(name) for name in self._world.phones])
            case "GET", ("endpoints", technology, resource):
                return self._one_endpoint(f"{technology}/{resource}")
            case "GET", ("applications",):
                return Answer(200, [self._application(name) for name in self._world.sockets])
            case "POST" | "DELETE", ("applications", name, "subscription"):
                return self._subscription(name, request)
            case _:
                return self._respond_for_media(request)

    def _respond_for_media(self, request: Request) -> Answer:
        match request.method, request.path:
            case "DELETE", ("playbacks", playback_id):
                return self._stop_playback(playback_id)
            case "POST", ("recordings", "live", name, "stop"):
                return self._stop_recording(name)
            case _:
                raise RefusalError(404, "Resource not found")

    def _info(self) -> Json:
        return {
            "system": {"version": VERSION, "entity_id": ENTITY_ID},
            "status": {
                "startup_time": self._world.started_at,
                "last_reload_time": self._world.started_at,
            },
        }

    def _config(self, names: tuple[str, ...], request: Request) -> Answer:
        if request.method == "PUT":
            self._world.objects[names] = list(request.body.get("fields", []))
            return Answer(200, self._world.objects[names])
        if names not in self._world.objects:
            raise RefusalError(404, "Object not found")
        if request.method == "DELETE":
            del self._world.objects[names]
            return NO_CONTENT
        return Answer(200, self._world.objects[names])

    def _endpoint(self, name: str) -> Json:
        technology, _, resource = name.partition("/")
        offline = self._world.phones[name] is PhoneState.OFFLINE
        return {
            "technology": technology,
            "resource": resource,
            "state": "offline" if offline else "online",
            "channel_ids": [c.id for c in self._world.channels.values() if c.endpoint == name],
        }

    def _one_endpoint(self, name: str) -> Answer:
        if name not in self._world.phones:
            raise RefusalError(404, "Endpoint not found")
        return Answer(200, self._endpoint(name))

    def _application(self, name: str) -> Json:
        sources = self._world.sources[name]
        channels = {c.id for c in self._world.channels.values() if name in c.watchers}
        bridges = {b.id for b in self._world.bridges.values() if name in b.watchers}
        return {
            "name": name,
            "channel_ids": sorted(channels),
            "bridge_ids": sorted(bridges),
            "endpoint_ids": sorted(s[9:] for s in sources if s.startswith("endpoint:")),
            "device_names": sorted(s[12:] for s in sources if s.startswith("deviceState:")),
            "events_allowed": [],
            "events_disallowed": [],
        }

    def _subscription(self, name: str, request: Request) -> Answer:
        if name not in self._world.sockets:
            raise RefusalError(404, "Application not found")
        for source in request.query.get("eventSource", "").split(","):
            self._watch(name, source, begin=request.method == "POST")
        return Answer(200, self._application(name))

    def _watch(self, name: str, source: str, *, begin: bool) -> None:
        """Begin or end one subscription."""
        kind, _, subject = source.partition(":")
        if kind in {"endpoint", "deviceState"}:
            watchers, member = self._world.sources[name], source
        else:
            found = self._world.channels if kind == "channel" else self._world.bridges
            if subject not in found:
                raise RefusalError(422, "Event source does not exist")
            watchers, member = found[subject].watchers, name
        if begin:
            watchers.add(member)
        elif member in watchers:
            watchers.remove(member)
        else:
            raise RefusalError(422, "Event source was not subscribed to")

    def _stop_playback(self, playback_id: str) -> Answer:
        if playback_id not in self._world.playbacks:
            raise RefusalError(404, "Playback not found")
        playback = self._world.playbacks.pop(playback_id)
        self._finish("PlaybackFinished", "playback", playback)
        return NO_CONTENT

    def _stop_recording(self, name: str) -> Answer:
        if name not in self._world.recordings:
            raise RefusalError(404, "Recording not found")
        self._finish("RecordingFinished", "recording", self._world.recordings.pop(name))
        return NO_CONTENT

    def _finish(self, event: str, what: str, subject: dict[str, str]) -> None:
        """Tell those who watch its target that a sound or a recording is over."""
        kind, _, target = subject["target_uri"].partition(":")
        found = self._world.channels if kind == "channel" else self._world.bridges
        watchers = found[target].watchers if target in found else set[str]()
        self._world.publish(event, watchers, **{what: {**subject, "state": "done"}})
