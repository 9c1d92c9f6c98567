"""Events out of what Asterisk sends."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from ari_samples import BRIDGE, CHANNEL, ENDPOINT, event

from fastagi_server.ari import events
from fastagi_server.ari.errors import AriAnswerError
from fastagi_server.ari.events import UnknownEvent, read_event
from fastagi_server.ari.reading import NEVER
from fastagi_server.ari.subjects import bridge_of, channels_of

OTHER = {**CHANNEL, "id": "1700000000.2"}
PLAYBACK = {"id": "p", "media_uri": "sound:hi", "target_uri": "channel:1", "state": "done"}
RECORDING = {"name": "r", "format": "wav", "target_uri": "bridge:1", "state": "failed"}

SENT: tuple[tuple[str, Mapping[str, Any], Mapping[str, object]], ...] = (
    ("StasisStart", {"channel": CHANNEL, "args": ["a", "b"]}, {"args": ("a", "b")}),
    ("StasisEnd", {"channel": CHANNEL}, {}),
    ("ChannelCreated", {"channel": CHANNEL}, {}),
    ("ChannelStateChange", {"channel": CHANNEL}, {}),
    (
        "ChannelDestroyed",
        {"channel": CHANNEL, "cause": 17, "cause_txt": "User busy"},
        {"cause": 17, "cause_txt": "User busy"},
    ),
    ("ChannelHangupRequest", {"channel": CHANNEL, "cause": 32}, {"cause": 32, "soft": False}),
    ("ChannelHangupRequest", {"channel": CHANNEL, "soft": True}, {"cause": 0, "soft": True}),
    ("ChannelHold", {"channel": CHANNEL, "musicclass": "jazz"}, {"music_class": "jazz"}),
    ("ChannelHold", {"channel": CHANNEL}, {"music_class": ""}),
    ("ChannelUnhold", {"channel": CHANNEL}, {}),
    (
        "ChannelDtmfReceived",
        {"channel": CHANNEL, "digit": "#", "duration_ms": 120},
        {"digit": "#", "duration_ms": 120},
    ),
    ("ChannelConnectedLine", {"channel": CHANNEL}, {}),
    (
        "ChannelVarset",
        {"channel": CHANNEL, "variable": "RTPAUDIOQOS", "value": "lp=0"},
        {"variable": "RTPAUDIOQOS", "value": "lp=0"},
    ),
    ("ChannelEnteredBridge", {"channel": CHANNEL, "bridge": BRIDGE}, {}),
    ("ChannelLeftBridge", {"channel": CHANNEL, "bridge": BRIDGE}, {}),
    (
        "Dial",
        {"peer": CHANNEL, "dialstatus": "RINGING", "dialstring": "1001"},
        {"caller": None, "dialstatus": "RINGING", "dialstring": "1001"},
    ),
    ("BridgeCreated", {"bridge": BRIDGE}, {}),
    ("BridgeDestroyed", {"bridge": BRIDGE}, {}),
    (
        "BridgeBlindTransfer",
        {
            "channel": CHANNEL,
            "transferee": OTHER,
            "exten": "7",
            "context": "c",
            "result": "Success",
        },
        {"exten": "7", "context": "c", "result": "Success", "is_external": False, "bridge": None},
    ),
    (
        "BridgeAttendedTransfer",
        {
            "transferer_first_leg": CHANNEL,
            "transferer_second_leg": OTHER,
            "result": "Success",
            "is_external": True,
            "destination_type": "bridge",
            "destination_bridge": "sge-1",
        },
        {"destination_type": "bridge", "destination_bridge": "sge-1", "is_external": True},
    ),
    ("PlaybackStarted", {"playback": PLAYBACK}, {}),
    ("PlaybackFinished", {"playback": PLAYBACK}, {}),
    ("RecordingStarted", {"recording": RECORDING}, {}),
    ("RecordingFinished", {"recording": RECORDING}, {}),
    ("RecordingFailed", {"recording": RECORDING}, {}),
    ("EndpointStateChange", {"endpoint": ENDPOINT}, {}),
    (
        "DeviceStateChanged",
        {"device_state": {"name": "PJSIP/1001", "state": "INUSE"}},
        {"device": "PJSIP/1001", "state": "INUSE"},
    ),
    ("ApplicationReplaced", {}, {}),
)


@pytest.mark.parametrize(("kind", "fields", "read"), SENT)
def test_an_event_is_read(kind: str, fields: Mapping[str, Any], read: Mapping[str, object]) -> None:
    """Each class has the name, and the fields, that Asterisk uses."""
    found = read_event(event(kind, **fields))
    assert type(found).__name__ == kind
    assert found.application == "sky-genesis-voip"
    assert found.timestamp == datetime(2026, 11, 22, 23, 0, 18, 500_000, tzinfo=UTC)
    assert {name: getattr(found, name) for name in read} == read


def test_every_class_of_event_has_an_example_here() -> None:
    """An event added to the module is added to the table above."""
    base = {"Event", "ChannelEvent", "UnknownEvent"}
    declared = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and issubclass(kind, events.Event)
    }
    assert declared - base == {kind for kind, _, _ in SENT}


def test_models_in_events_are_whole() -> None:
    """Channel, bridge and endpoint are the models of their own."""
    crossed = read_event(event("ChannelEnteredBridge", channel=CHANNEL, bridge=BRIDGE))
    assert isinstance(crossed, events.ChannelEnteredBridge)
    assert crossed.channel.caller_number == "1001"
    assert crossed.bridge.channels == ("1700000000.1", "1700000000.2")
    changed = read_event(event("EndpointStateChange", endpoint=ENDPOINT))
    assert isinstance(changed, events.EndpointStateChange)
    assert changed.endpoint.state == "online"
    failed = read_event(event("RecordingFailed", recording={**RECORDING, "cause": "disk full"}))
    assert isinstance(failed, events.RecordingFailed)
    assert failed.recording.cause == "disk full"


def test_bytes_are_read_like_text() -> None:
    """A socket may give either."""
    text = event("StasisEnd", channel=CHANNEL)
    assert read_event(text.encode()) == read_event(text)


def test_an_event_of_a_later_asterisk_is_no_error() -> None:
    """It is kept whole, for whoever knows it."""
    found = read_event(event("ChannelTeleported", where="away"))
    assert isinstance(found, UnknownEvent)
    assert found.type == "ChannelTeleported"
    assert found.raw["where"] == "away"


def test_an_unknown_event_may_lack_time_and_application() -> None:
    """MissingParams and RESTResponse do."""
    found = read_event('{"type": "MissingParams", "params": ["app"]}')
    assert isinstance(found, UnknownEvent)
    assert found.timestamp is NEVER
    assert found.application == ""


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"type": 7}',
        event("StasisStart"),
        event("StasisStart", channel={}),
        event("StasisStart", channel=CHANNEL, args="a"),
        event("StasisStart", channel=CHANNEL, args=["a"], replace_channel="x"),
        event("ChannelDestroyed", channel=CHANNEL, cause="17"),
        event("ChannelEnteredBridge", bridge=BRIDGE),
        event("DeviceStateChanged", device_state={}),
        event("StasisEnd", channel=CHANNEL, timestamp="now"),
    ],
)
def test_garbage_is_an_error(document: str) -> None:
    """Nothing that Asterisk does not say is taken for an event."""
    with pytest.raises(AriAnswerError):
        read_event(document)


def _subjects(kind: str, **fields: Any) -> list[str]:
    return [channel.id for channel in channels_of(read_event(event(kind, **fields)))]


def test_the_channels_of_an_event() -> None:
    """The subject comes first: it is by this that an event is given to a call."""
    assert _subjects("StasisEnd", channel=CHANNEL) == ["1700000000.1"]
    assert _subjects("ChannelLeftBridge", channel=CHANNEL, bridge=BRIDGE) == ["1700000000.1"]
    assert _subjects("ChannelVarset", variable="X", value="y") == []
    assert _subjects("ChannelVarset", variable="X", value="y", channel=OTHER) == ["1700000000.2"]
    assert _subjects("Dial", peer=CHANNEL, dialstatus="") == ["1700000000.1"]
    assert _subjects("Dial", peer=CHANNEL, caller=OTHER) == ["1700000000.1", "1700000000.2"]
    assert _subjects("BridgeBlindTransfer", channel=CHANNEL, transferee=OTHER) == [
        "1700000000.2",
        "1700000000.1",
    ]
    transfer = {"transferer_first_leg": CHANNEL, "transferer_second_leg": OTHER}
    assert _subjects("BridgeAttendedTransfer", **transfer) == ["1700000000.1", "1700000000.2"]
    assert _subjects("BridgeCreated", bridge=BRIDGE) == []
    assert _subjects("SomethingElse") == []


def test_the_bridge_of_an_event() -> None:
    """Empty for what is about none."""
    assert bridge_of(read_event(event("BridgeDestroyed", bridge=BRIDGE))) == "sge-1"
    crossed = event("ChannelEnteredBridge", channel=CHANNEL, bridge=BRIDGE)
    assert bridge_of(read_event(crossed)) == "sge-1"
    assert bridge_of(read_event(event("StasisEnd", channel=CHANNEL))) == ""
