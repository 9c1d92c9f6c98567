"""ARI's operations on bridges, as the fake answers them."""

from itertools import count

from fastagi_server.testing.ari.http import Answer, RefusalError, Request
from fastagi_server.testing.ari.objects import FakeBridge
from fastagi_server.testing.ari.world import World

NO_CONTENT = Answer(204)
BASE_TYPES = ("mixing", "holding")


class BridgeOperations:
    """Answers requests below /bridges."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = count(1)

    def respond(self, request: Request) -> Answer:
        """The answer to one request; raises `RefusalError`."""
        match request.method, request.path[1:]:
            case "GET", ():
                return Answer(200, [b.document() for b in self._world.bridges.values()])
            case "POST", ():
                return self._create(request)
            case "GET", (bridge_id,):
                return Answer(200, self._world.find_bridge(bridge_id).document())
            case "DELETE", (bridge_id,):
                self._world.destroy_bridge(self._world.find_bridge(bridge_id))
                return NO_CONTENT
            case "POST", (bridge_id, "addChannel"):
                return self._add(self._world.find_bridge(bridge_id), request)
            case "POST", (bridge_id, "removeChannel"):
                return self._remove(self._world.find_bridge(bridge_id), request)
            case "POST" | "DELETE", (bridge_id, "moh"):
                self._world.find_bridge(bridge_id).music = request.method == "POST"
                return NO_CONTENT
            case "POST", (bridge_id, "play", playback_id):
                return self._play(bridge_id, playback_id, request)
            case "POST", (bridge_id, "record"):
                return self._record(bridge_id, request)
            case _:
                raise RefusalError(404, "Resource not found")

    def _create(self, request: Request) -> Answer:
        bridge_id = request.query.get("bridgeId") or f"bridge-{next(self._numbers)}"
        if bridge_id in self._world.bridges:
            raise RefusalError(409, f"Bridge with id '{bridge_id}' already exists")
        words = set(request.query.get("type", "mixing").split(","))
        kinds = [kind for kind in BASE_TYPES if kind in words]
        if len(kinds) != 1:
            message = "Unable to create bridge. Possible duplicate bridge id"
            raise RefusalError(500, f"{message} '{bridge_id}'")
        bridge = FakeBridge(bridge_id, kinds[0], request.query.get("name", ""))
        self._world.bridges[bridge_id] = bridge
        everything: tuple[str, ...] = ()
        self._world.publish("BridgeCreated", everything, bridge=bridge.document())
        return Answer(200, bridge.document())

    def _add(self, bridge: FakeBridge, request: Request) -> Answer:
        ids = request.query.get("channel", "").split(",")
        channels = [self._world.find(channel_id, status=400) for channel_id in ids]
        if not all(channel.app for channel in channels):
            raise RefusalError(422, "Channel not in Stasis application")
        for channel in channels:
            if request.query.get("mute") == "true":
                bridge.muted.add(channel.id)
            if request.query.get("role"):
                bridge.roles[channel.id] = request.query["role"]
            self._world.join_bridge(bridge, channel)
        return NO_CONTENT

    def _remove(self, bridge: FakeBridge, request: Request) -> Answer:
        ids = request.query.get("channel", "").split(",")
        channels = [self._world.find(channel_id, status=400) for channel_id in ids]
        if any(channel.bridge != bridge.id for channel in channels):
            raise RefusalError(422, "Channel not in this bridge")
        for channel in channels:
            self._world.leave_bridge(channel)
            still_here = {self._world.channels[other].app for other in bridge.channels}
            bridge.watchers &= still_here
        return NO_CONTENT

    def _play(self, bridge_id: str, playback_id: str, request: Request) -> Answer:
        self._world.find_bridge(bridge_id)
        playback = {
            "id": playback_id,
            "media_uri": request.query["media"],
            "target_uri": f"bridge:{bridge_id}",
            "language": "en",
            "state": "queued",
        }
        self._world.playbacks[playback_id] = playback
        return Answer(201, playback)

    def _record(self, bridge_id: str, request: Request) -> Answer:
        self._world.find_bridge(bridge_id)
        recording = {
            "name": request.query["name"],
            "format": request.query["format"],
            "target_uri": f"bridge:{bridge_id}",
            "state": "queued",
        }
        self._world.recordings[recording["name"]] = recording
        return Answer(201, recording)
