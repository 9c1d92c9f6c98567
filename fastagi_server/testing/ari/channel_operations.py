"""ARI's operations on channels, as the fake answers them."""

from collections.abc import Callable
from itertools import count

from fastagi_server.testing.ari.http import Answer, RefusalError, Request
from fastagi_server.testing.ari.objects import FakeChannel, Json
from fastagi_server.testing.ari.phones import Phones
from fastagi_server.testing.ari.world import (
    INTERWORKING,
    NORMAL_CLEARING,
    PhoneState,
    World,
)

NO_CONTENT = Answer(204)
OUTGOING_UNANSWERED = frozenset({"Down", "Ringing"})
RTP_COUNTS = ("txcount", "rxcount", "txploss", "rxploss")
RTP_MEASURES = ("txjitter", "rxjitter", "rtt", "txmes", "rxmes")


class ChannelOperations:
    """Answers requests below /channels."""

    def __init__(self, world: World, phones: Phones) -> None:
        self._world = world
        self._phones = phones
        self._numbers = count(1)
        self._in_stasis: dict[str, Callable[[FakeChannel, Request], Answer]] = {
            "POST answer": self._answer,
            "POST ring": self._nothing,
            "DELETE ring": self._nothing,
            "POST progress": self._nothing,
            "POST silence": self._nothing,
            "DELETE silence": self._nothing,
            "POST redirect": self._redirect,
            "POST hold": self._hold,
            "DELETE hold": self._unhold,
            "POST moh": self._start_music,
            "DELETE moh": self._stop_music,
            "POST mute": self._mute,
            "DELETE mute": self._unmute,
            "POST dtmf": self._press,
            "POST continue": self._continue,
            "POST move": self._move,
            "POST record": self._record,
        }

    def respond(self, request: Request) -> Answer:
        """The answer to one request; raises `RefusalError`."""
        match request.method, request.path[1:]:
            case "GET", ():
                return Answer(200, [c.document() for c in self._world.channels.values()])
            case "POST", ():
                return self._originate(request)
            case "POST", ("create",):
                return self._create(request)
            case _:
                return self._respond_for_one(request)

    def _respond_for_one(self, request: Request) -> Answer:
        match request.method, request.path[1:]:
            case "GET", (channel_id,):
                return Answer(200, self._world.find(channel_id).document())
            case "DELETE", (channel_id,):
                return self._hang_up(channel_id, request)
            case "POST", (channel_id, "dial"):
                return self._dial(channel_id, request)
            case "GET", (channel_id, "rtp_statistics"):
                return self._statistics(channel_id)
            case _, (channel_id, "variable"):
                return self._variable(channel_id, request)
            case "POST", (channel_id, "snoop", snoop_id):
                return self._snoop(channel_id, snoop_id, request)
            case "POST", (channel_id, "play", playback_id):
                return self._play(channel_id, playback_id, request)
            case _, (channel_id, what):
                return self._act(channel_id, what, request)
            case _:
                raise RefusalError(404, "Resource not found")

    def _new(self, request: Request) -> FakeChannel:
        """A channel as a request describes it."""
        query = request.query
        endpoint = query["endpoint"]
        known = endpoint.startswith("Local/") or endpoint in self._world.phones
        if not known or self._world.phones.get(endpoint) is PhoneState.OFFLINE:
            raise _allocation_failed()
        channel_id = query.get("channelId") or f"1700000000.{next(self._numbers)}"
        name, _, number = query.get("callerId", "").rpartition("<")
        channel = FakeChannel(channel_id, endpoint)
        channel.caller_name = name.strip(' "')
        channel.caller_number = number.rstrip(">")
        channel.variables.update(request.body.get("variables", {}))
        return channel

    def _create(self, request: Request) -> Answer:
        channel = self._new(request)
        channel.created = True
        channel.watchers.add(request.query["app"])
        self._world.add(channel)
        answer = Answer(200, channel.document())
        self._world.enter_or_end(channel, request.query["app"], request.query.get("appArgs", ""))
        return answer

    def _originate(self, request: Request) -> Answer:
        channel = self._new(request)
        app = request.query["app"]
        channel.originated = (app, request.query.get("appArgs", ""))
        channel.watchers.add(app)
        self._world.add(channel)
        answer = Answer(200, channel.document())
        self._phones.call(channel, int(request.query.get("timeout", "30")))
        return answer

    def _dial(self, channel_id: str, request: Request) -> Answer:
        channel = self._world.find(channel_id)
        if not channel.app:
            raise RefusalError(409, "Channel not in Stasis application")
        if channel.state != "Down" or channel.dialled:
            raise RefusalError(409, "Channel is not in the 'Down' state")
        self._phones.call(channel, int(request.query.get("timeout", "0")))
        return NO_CONTENT

    def _hang_up(self, channel_id: str, request: Request) -> Answer:
        channel = self._world.find(channel_id)
        cause = int(request.query.get("reason_code", str(NORMAL_CLEARING)))
        self._world.end(channel, cause, requested=INTERWORKING)
        return NO_CONTENT

    def _statistics(self, channel_id: str) -> Answer:
        channel = self._world.find(channel_id)
        if channel.endpoint.startswith("Local/"):
            raise RefusalError(403, "Unsupported channel type")
        document: Json = {
            "channel_uniqueid": channel.id,
            **dict.fromkeys(RTP_COUNTS, 0),
            **dict.fromkeys(RTP_MEASURES, 0.0),
        }
        return Answer(200, document)

    def _variable(self, channel_id: str, request: Request) -> Answer:
        if channel_id not in self._world.channels:
            raise RefusalError(404, "Provided channel was not found")
        channel, name = self._world.channels[channel_id], request.query["variable"]
        if request.method == "POST":
            channel.variables[name] = request.query.get("value", "")
            return NO_CONTENT
        if name not in channel.variables:
            raise RefusalError(404, "Provided variable was not found")
        return Answer(200, {"value": channel.variables[name]})

    def _snoop(self, channel_id: str, snoop_id: str, request: Request) -> Answer:
        self._world.find(channel_id)
        snoop = FakeChannel(snoop_id, f"Snoop/{channel_id}", state="Up")
        snoop.watchers.add(request.query["app"])
        self._world.add(snoop)
        self._world.enter(snoop, request.query["app"], request.query.get("appArgs", ""))
        return Answer(200, snoop.document())

    def _play(self, channel_id: str, playback_id: str, request: Request) -> Answer:
        self._usable(channel_id)
        playback = {
            "id": playback_id,
            "media_uri": request.query["media"],
            "target_uri": f"channel:{channel_id}",
            "language": "en",
            "state": "queued",
        }
        self._world.playbacks[playback_id] = playback
        return Answer(201, playback)

    def _act(self, channel_id: str, what: str, request: Request) -> Answer:
        """Do what only a channel in a Stasis application can."""
        operation = self._in_stasis.get(f"{request.method} {what}")
        if operation is None:
            raise RefusalError(404, "Resource not found")
        return operation(self._usable(channel_id), request)

    def _usable(self, channel_id: str) -> FakeChannel:
        channel = self._world.find(channel_id)
        if not channel.app:
            raise RefusalError(409, "Channel not in Stasis application")
        if channel.created and channel.state in OUTGOING_UNANSWERED:
            raise RefusalError(412, "Channel in invalid state")
        return channel

    def _answer(self, channel: FakeChannel, _request: Request) -> Answer:
        if channel.state != "Up":
            self._world.change_state(channel, "Up")
        return NO_CONTENT

    def _nothing(self, _channel: FakeChannel, _request: Request) -> Answer:
        return NO_CONTENT

    def _redirect(self, channel: FakeChannel, request: Request) -> Answer:
        technology = request.query["endpoint"].partition("/")[0]
        own = channel.endpoint.partition("/")[0]
        if technology != own:
            message = f"Endpoint technology '{technology}' does not match channel technology"
            raise RefusalError(422, f"{message} '{own}'")
        return NO_CONTENT

    def _hold(self, channel: FakeChannel, _request: Request) -> Answer:
        channel.held = True
        return NO_CONTENT

    def _unhold(self, channel: FakeChannel, _request: Request) -> Answer:
        channel.held = False
        return NO_CONTENT

    def _start_music(self, channel: FakeChannel, _request: Request) -> Answer:
        channel.music = True
        return NO_CONTENT

    def _stop_music(self, channel: FakeChannel, _request: Request) -> Answer:
        channel.music = False
        return NO_CONTENT

    def _mute(self, channel: FakeChannel, request: Request) -> Answer:
        channel.muted |= _directions(request)
        return NO_CONTENT

    def _unmute(self, channel: FakeChannel, request: Request) -> Answer:
        channel.muted -= _directions(request)
        return NO_CONTENT

    def _press(self, channel: FakeChannel, request: Request) -> Answer:
        channel.digits += request.query["dtmf"]
        return NO_CONTENT

    def _continue(self, channel: FakeChannel, request: Request) -> Answer:
        channel.context = request.query.get("context") or channel.context
        channel.exten = request.query.get("extension") or channel.exten
        self._world.leave(channel)
        return NO_CONTENT

    def _move(self, channel: FakeChannel, request: Request) -> Answer:
        application = request.query["app"]
        if application not in self._world.sockets:
            raise RefusalError(404, "Stasis application not found")
        previous = channel.app
        self._world.publish("StasisEnd", (previous,), channel=channel.document())
        self._world.enter(channel, application, request.query.get("appArgs", ""))
        return NO_CONTENT

    def _record(self, channel: FakeChannel, request: Request) -> Answer:
        recording = {
            "name": request.query["name"],
            "format": request.query["format"],
            "target_uri": f"channel:{channel.id}",
            "state": "queued",
        }
        self._world.recordings[recording["name"]] = recording
        return Answer(201, recording)


def _allocation_failed() -> RefusalError:
    refusal = RefusalError(500, "Allocation failed")
    refusal.answer = Answer(500, {"error": "Allocation failed"})
    return refusal


def _directions(request: Request) -> set[str]:
    direction = request.query.get("direction", "both")
    return {"in", "out"} if direction == "both" else {direction}
