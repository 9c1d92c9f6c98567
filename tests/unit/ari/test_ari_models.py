"""Channels, bridges and the rest out of Asterisk's documents."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from ari_samples import BRIDGE, CHANNEL, ENDPOINT

from fastagi_server.ari.errors import AriAnswerError
from fastagi_server.ari.models import (
    Application,
    AsteriskInfo,
    Bridge,
    Channel,
    Endpoint,
    Playback,
    Recording,
    RtpStatistics,
)
from fastagi_server.ari.reading import NEVER


def test_a_channel_is_read() -> None:
    """Nested names and numbers become flat fields; the whole document stays at hand."""
    channel = Channel.from_json(CHANNEL)
    assert channel.id == "1700000000.1"
    assert channel.name == "PJSIP/1001-00000001"
    assert channel.state == "Up"
    assert channel.caller_number == "1001"
    assert channel.caller_name == "Hélène"
    assert channel.connected_number == "1002"
    assert channel.dialplan_context == "sky-genesis-voip"
    assert channel.dialplan_exten == "1002"
    assert channel.app_name == "Stasis"
    assert channel.creation_time == datetime(2026, 11, 23, 0, 0, 16, 871_000, tzinfo=UTC)
    assert channel.variables == {"SGE_CALL_ID": "c-1", "SGE_STATUS": "REGISTERED"}
    assert channel.raw["language"] == "en"


def test_a_channel_of_an_older_asterisk_is_read() -> None:
    """Only the id must be there."""
    channel = Channel.from_json({"id": "x"})
    assert (channel.id, channel.state, channel.caller_number) == ("x", "", "")
    assert channel.creation_time is NEVER
    assert channel.variables == {}


def test_a_channel_is_a_value() -> None:
    """It cannot be changed, and equals another that was the same."""
    channel = Channel.from_json(CHANNEL)
    assert channel == Channel.from_json({**CHANNEL, "language": "fr"})
    with pytest.raises(FrozenInstanceError):
        channel.state = "Down"  # type: ignore[misc]  # that it cannot be done is the point


@pytest.mark.parametrize(
    "raw",
    [{}, {"id": ""}, {"id": 1}, {"id": "x", "caller": []}, {"id": "x", "creationtime": "soon"}],
)
def test_a_channel_that_is_none_is_an_error(raw: dict[str, object]) -> None:
    """Neither a channel without an id nor one with fields of another kind."""
    with pytest.raises(AriAnswerError):
        Channel.from_json(raw)


def test_a_bridge_is_read() -> None:
    """`type` is what ARI calls bridge_type."""
    bridge = Bridge.from_json(BRIDGE)
    assert (bridge.id, bridge.type, bridge.technology) == ("sge-1", "mixing", "simple_bridge")
    assert bridge.name == "a call"
    assert bridge.channels == ("1700000000.1", "1700000000.2")
    assert bridge.creation_time == datetime(2026, 11, 23, 0, 0, 17, tzinfo=UTC)


def test_an_endpoint_is_read() -> None:
    """With the channels that lead to it."""
    endpoint = Endpoint.from_json(ENDPOINT)
    assert (endpoint.technology, endpoint.resource) == ("PJSIP", "1001")
    assert (endpoint.state, endpoint.channel_ids) == ("online", ("1700000000.1",))


def test_an_application_is_read() -> None:
    """With what it is subscribed to."""
    raw = {"name": "a", "channel_ids": ["1"], "bridge_ids": ["2"], "endpoint_ids": ["PJSIP/1"]}
    application = Application.from_json(raw)
    assert application.name == "a"
    assert application.channel_ids == ("1",)
    assert application.bridge_ids == ("2",)
    assert application.endpoint_ids == ("PJSIP/1",)
    assert application.device_names == ()


def test_the_info_is_read() -> None:
    """Version, identity and the instant of the start."""
    raw = {
        "system": {"version": "22.10.1", "entity_id": "02:00"},
        "status": {"startup_time": "2026-11-22T23:57:41.494+0000"},
    }
    info = AsteriskInfo.from_json(raw)
    assert (info.version, info.entity_id) == ("22.10.1", "02:00")
    assert info.startup_time == datetime(2026, 11, 22, 23, 57, 41, 494_000, tzinfo=UTC)


def test_the_quality_of_a_call_is_read() -> None:
    """Also the two scores that ARI does not document; a phone without RTCP has none.

    Asterisk gives jitter and score under the name of the other direction.
    """
    raw = {
        "txcount": 100,
        "rxcount": 90,
        "txploss": 1,
        "rxploss": 2,
        "txjitter": 0.001,
        "rxjitter": 0.002,
        "rtt": 0.03,
        "txmes": 87.5,
        "rxmes": 88,
    }
    quality = RtpStatistics.from_json(raw)
    assert (quality.sent_packets, quality.received_packets) == (100, 90)
    assert (quality.sent_lost, quality.received_lost) == (1, 2)
    assert (quality.received_jitter_seconds, quality.sent_jitter_seconds) == (0.001, 0.002)
    assert quality.round_trip_seconds == 0.03
    assert (quality.received_mes, quality.sent_mes) == (87.5, 88.0)
    assert RtpStatistics.from_json({"txcount": 1, "rxcount": 1}).sent_mes is None


def test_a_playback_and_a_recording_are_read() -> None:
    """What is played or recorded, where, and how far it is."""
    playback = Playback.from_json(
        {"id": "p", "media_uri": "sound:hi", "target_uri": "channel:1", "state": "playing"}
    )
    assert playback == Playback("p", "sound:hi", "channel:1", "playing")
    recording = Recording.from_json(
        {"name": "r", "format": "wav", "target_uri": "bridge:1", "state": "done", "duration": 4}
    )
    assert recording == Recording("r", "wav", "bridge:1", "done", 4, "")
