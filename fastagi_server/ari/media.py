"""Operations on what is heard: hold, music, silence, mute, keys, sounds, recordings, snooping."""

from typing import Literal

from fastagi_server.ari import reading
from fastagi_server.ari.errors import AriNotFoundError
from fastagi_server.ari.models import Channel, Direction, Playback, Recording
from fastagi_server.ari.requester import Parameters, Requester

IfExists = Literal["fail", "overwrite", "append"]
Spied = Literal["none", "both", "in", "out"]


class MediaOperations:
    """The part of `AriClient` about media; every method raises `AriError` only."""

    _requester: Requester

    async def hold(self, channel_id: str) -> None:
        """Put a phone on hold, as its far end would."""
        await self._switch("hold", "POST", channel_id, "hold")

    async def unhold(self, channel_id: str) -> None:
        """Take a phone off hold."""
        await self._switch("unhold", "DELETE", channel_id, "hold")

    async def start_music(self, channel_id: str, *, music_class: str = "") -> None:
        """Play music on hold to a channel, of Asterisk's default class unless one is named."""
        await self._switch("start_music", "POST", channel_id, "moh", {"mohClass": music_class})

    async def stop_music(self, channel_id: str) -> None:
        """Stop music on hold."""
        await self._switch("stop_music", "DELETE", channel_id, "moh")

    async def start_silence(self, channel_id: str) -> None:
        """Send silence to a channel, so that its phone gets packets while nothing is said."""
        await self._switch("start_silence", "POST", channel_id, "silence")

    async def stop_silence(self, channel_id: str) -> None:
        """Stop sending silence."""
        await self._switch("stop_silence", "DELETE", channel_id, "silence")

    async def mute(self, channel_id: str, *, direction: Direction = "in") -> None:
        """Drop a channel's audio: `in` is what its phone says, `out` what it would hear."""
        await self._switch("mute", "POST", channel_id, "mute", {"direction": direction})

    async def unmute(self, channel_id: str, *, direction: Direction = "in") -> None:
        """Let a channel's audio pass again."""
        await self._switch("unmute", "DELETE", channel_id, "mute", {"direction": direction})

    async def send_dtmf(
        self, channel_id: str, digits: str, *, duration_ms: int = 100, between_ms: int = 100
    ) -> None:
        """Press keys (0-9, A-D, *, #) on a channel, one after another."""
        query: Parameters = {"dtmf": digits, "duration": duration_ms, "between": between_ms}
        await self._switch("send_dtmf", "POST", channel_id, "dtmf", query)

    async def play(
        self, channel_id: str, *, media: str, playback_id: str, language: str = ""
    ) -> Playback:
        """Play to one channel; `media` is a URI such as `sound:hello`, more of them by commas."""
        return await self._play("channels", channel_id, media, playback_id, language)

    async def play_to_bridge(
        self, bridge_id: str, *, media: str, playback_id: str, language: str = ""
    ) -> Playback:
        """Play to all in a bridge."""
        return await self._play("bridges", bridge_id, media, playback_id, language)

    async def stop_playback(self, playback_id: str) -> None:
        """Stop a sound; one that is over already is as good."""
        await self._unless_gone("stop_playback", "DELETE", ("playbacks", playback_id))

    async def record(
        self,
        channel_id: str,
        *,
        name: str,
        audio_format: str = "wav",
        max_seconds: int = 0,
        if_exists: IfExists = "fail",
        beep: bool = False,
    ) -> Recording:
        """Record what a channel's phone says under `name`; 0 seconds is without a limit."""
        query = _recording(name, audio_format, max_seconds, if_exists, beep=beep)
        return await self._record(("channels", channel_id, "record"), query)

    async def record_bridge(
        self,
        bridge_id: str,
        *,
        name: str,
        audio_format: str = "wav",
        max_seconds: int = 0,
        if_exists: IfExists = "fail",
        beep: bool = False,
    ) -> Recording:
        """Record all that is said in a bridge under `name`; 0 seconds is without a limit."""
        query = _recording(name, audio_format, max_seconds, if_exists, beep=beep)
        return await self._record(("bridges", bridge_id, "record"), query)

    async def stop_recording(self, name: str) -> None:
        """Stop a recording and keep it; one that is over already is as good."""
        await self._unless_gone("stop_recording", "POST", ("recordings", "live", name, "stop"))

    async def snoop(
        self,
        channel_id: str,
        *,
        snoop_id: str,
        app: str,
        app_args: str = "",
        spy: Spied = "both",
        whisper: Spied = "none",
    ) -> Channel:
        """Make a channel `snoop_id` in `app` that hears `channel_id`, or speaks to it."""
        query: Parameters = {"app": app, "appArgs": app_args, "spy": spy, "whisper": whisper}
        path = ("channels", channel_id, "snoop", snoop_id)
        found = await self._requester.ask("snoop", "POST", path, query)
        return Channel.from_json(reading.as_object(found, "the channel"))

    async def _switch(
        self,
        operation: str,
        method: str,
        channel_id: str,
        what: str,
        query: Parameters | None = None,
    ) -> None:
        await self._requester.ask(operation, method, ("channels", channel_id, what), query)

    async def _play(
        self, kind: str, target: str, media: str, playback_id: str, language: str
    ) -> Playback:
        query: Parameters = {"media": media, "lang": language}
        found = await self._requester.ask(
            "play", "POST", (kind, target, "play", playback_id), query
        )
        return Playback.from_json(reading.as_object(found, "the playback"))

    async def _record(self, path: tuple[str, ...], query: Parameters) -> Recording:
        found = await self._requester.ask("record", "POST", path, query)
        return Recording.from_json(reading.as_object(found, "the recording"))

    async def _unless_gone(self, operation: str, method: str, path: tuple[str, ...]) -> None:
        try:
            await self._requester.ask(operation, method, path)
        except AriNotFoundError:
            return


def _recording(
    name: str, audio_format: str, max_seconds: int, if_exists: IfExists, *, beep: bool
) -> Parameters:
    return {
        "name": name,
        "format": audio_format,
        "maxDurationSeconds": max_seconds,
        "ifExists": if_exists,
        "beep": beep,
    }
