"""What ARI describes: channels, bridges, endpoints. Values, never live objects.

Shapes are those of Asterisk's own `rest-api/*.json`; only what is used has a field, and `raw` is
the whole object as received. Every `from_json` raises `AriAnswerError`. Texts that Asterisk left
out are empty, instants that it left out are `reading.NEVER`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from fastagi_server.ari import reading
from fastagi_server.ari.reading import Json

Direction = Literal["both", "in", "out"]
"""Of media, seen from the channel: `in` is what its phone sends."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One leg. `id` is what AGI calls the unique id.

    `state` is Asterisk's: Down, Rsrved, OffHook, Dialing, Ring, Ringing, Up, Busy, Dialing
    Offhook, Pre-ring or Unknown. `variables` are those that ari.conf names in `channelvars`.
    """

    id: str
    name: str
    state: str
    caller_number: str
    caller_name: str
    connected_number: str
    dialplan_context: str
    dialplan_exten: str
    app_name: str
    creation_time: datetime
    variables: Mapping[str, str]
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `Channel`."""
        caller = reading.part(raw, "caller")
        dialplan = reading.part(raw, "dialplan")
        return cls(
            id=reading.identifier(raw, "id"),
            name=reading.text(raw, "name"),
            state=reading.text(raw, "state"),
            caller_number=reading.text(caller, "number"),
            caller_name=reading.text(caller, "name"),
            connected_number=reading.text(reading.part(raw, "connected"), "number"),
            dialplan_context=reading.text(dialplan, "context"),
            dialplan_exten=reading.text(dialplan, "exten"),
            app_name=reading.text(dialplan, "app_name"),
            creation_time=reading.instant(raw, "creationtime"),
            variables=reading.variables(raw, "channelvars"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Bridge:
    """A meeting of channels. `type` is mixing or holding; `channels` are ids, in no given order."""

    id: str
    type: str
    technology: str
    name: str
    channels: tuple[str, ...]
    creation_time: datetime
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `Bridge`."""
        return cls(
            id=reading.identifier(raw, "id"),
            type=reading.text(raw, "bridge_type"),
            technology=reading.text(raw, "technology"),
            name=reading.text(raw, "name"),
            channels=reading.texts(raw, "channels"),
            creation_time=reading.instant(raw, "creationtime"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What can be called as `technology/resource`. `state` is online, offline or unknown."""

    technology: str
    resource: str
    state: str
    channel_ids: tuple[str, ...]
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `Endpoint`."""
        return cls(
            technology=reading.identifier(raw, "technology"),
            resource=reading.identifier(raw, "resource"),
            state=reading.text(raw, "state"),
            channel_ids=reading.texts(raw, "channel_ids"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Application:
    """A Stasis application that somebody listens for, or did, and what it is subscribed to."""

    name: str
    channel_ids: tuple[str, ...]
    bridge_ids: tuple[str, ...]
    endpoint_ids: tuple[str, ...]
    device_names: tuple[str, ...]
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `Application`."""
        return cls(
            name=reading.identifier(raw, "name"),
            channel_ids=reading.texts(raw, "channel_ids"),
            bridge_ids=reading.texts(raw, "bridge_ids"),
            endpoint_ids=reading.texts(raw, "endpoint_ids"),
            device_names=reading.texts(raw, "device_names"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class AsteriskInfo:
    """One run of one Asterisk: another `startup_time` means that every live id is void."""

    version: str
    entity_id: str
    startup_time: datetime
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `AsteriskInfo`."""
        system = reading.part(raw, "system")
        return cls(
            version=reading.identifier(system, "version"),
            entity_id=reading.identifier(system, "entity_id"),
            startup_time=reading.instant(reading.part(raw, "status"), "startup_time"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class RtpStatistics:
    """The quality of a channel's audio so far, as Asterisk counts it.

    Counts and losses are packets, jitter and round trip seconds. `*_mes` are Asterisk's Media
    Experience Score, 0..100, 0 or None where RTCP has not reported yet. `received_*` is what
    Asterisk got from the phone, `sent_*` what the phone says that it got.
    """

    sent_packets: int
    received_packets: int
    sent_lost: int
    received_lost: int
    sent_jitter_seconds: float | None
    received_jitter_seconds: float | None
    round_trip_seconds: float | None
    sent_mes: float | None
    received_mes: float | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `RTPstat`; the two scores are in no documentation of it.

        Asterisk 22 gives jitter and score under the name of the other direction.
        """
        return cls(
            sent_packets=reading.number(raw, "txcount"),
            received_packets=reading.number(raw, "rxcount"),
            sent_lost=reading.number(raw, "txploss"),
            received_lost=reading.number(raw, "rxploss"),
            sent_jitter_seconds=reading.fraction(raw, "rxjitter"),
            received_jitter_seconds=reading.fraction(raw, "txjitter"),
            round_trip_seconds=reading.fraction(raw, "rtt"),
            sent_mes=reading.fraction(raw, "rxmes"),
            received_mes=reading.fraction(raw, "txmes"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Playback:
    """A sound being played. `state` is queued, playing, continuing, done or failed."""

    id: str
    media_uri: str
    target_uri: str
    state: str

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `Playback`."""
        return cls(
            id=reading.identifier(raw, "id"),
            media_uri=reading.text(raw, "media_uri"),
            target_uri=reading.text(raw, "target_uri"),
            state=reading.text(raw, "state"),
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording being made. `state` is queued, recording, paused, done, failed or canceled."""

    name: str
    format: str
    target_uri: str
    state: str
    duration_seconds: int
    cause: str

    @classmethod
    def from_json(cls, raw: Json) -> Self:
        """Read ARI's `LiveRecording`; `cause` says why one failed."""
        return cls(
            name=reading.identifier(raw, "name"),
            format=reading.text(raw, "format"),
            target_uri=reading.text(raw, "target_uri"),
            state=reading.text(raw, "state"),
            duration_seconds=reading.number(raw, "duration"),
            cause=reading.text(raw, "cause"),
        )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this Asterisk's ARI has beyond the least that is supported, by its own description."""

    progress: bool
    move: bool
    rest_over_socket: bool
    outbound_sockets: bool
    bridge_variables: bool
    call_broadcast: bool
