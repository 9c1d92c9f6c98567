"""What supervision sees, as events."""

from datetime import UTC, datetime

import pytest

from fastagi_server.events.models import TYPES
from fastagi_server.streaming import event_of
from fastagi_server.supervision.happenings import (
    ChannelDown,
    ChannelUp,
    DeviceChanged,
    EndpointRegistered,
    EndpointUnregistered,
    Happening,
    Missed,
    SecurityAlert,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("happening", "event_type", "channel", "data"),
    [
        (
            ChannelUp(NOON, "17.4", "PJSIP/1001-1", "1001", "1002", "from-internal"),
            "channel.created",
            "17.4",
            {
                "name": "PJSIP/1001-1",
                "caller_number": "1001",
                "exten": "1002",
                "context": "from-internal",
            },
        ),
        (
            ChannelDown(NOON, "17.4", "PJSIP/1001-1", 16),
            "channel.ended",
            "17.4",
            {"name": "PJSIP/1001-1", "cause": 16},
        ),
        (
            EndpointRegistered(NOON, "1001", "sip:1001@host"),
            "endpoint.registered",
            None,
            {"endpoint": "1001", "uri": "sip:1001@host"},
        ),
        (
            EndpointUnregistered(NOON, "1001", "sip:1001@host", "Removed"),
            "endpoint.unregistered",
            None,
            {"endpoint": "1001", "uri": "sip:1001@host", "status": "Removed"},
        ),
        (
            DeviceChanged(NOON, "PJSIP/1001", "INUSE"),
            "device.state",
            None,
            {"device": "PJSIP/1001", "state": "INUSE"},
        ),
        (
            SecurityAlert(NOON, "InvalidPassword", "PJSIP", "1001", "IPV4/UDP/192.0.2.7/5060"),
            "security.alert",
            None,
            {
                "kind": "InvalidPassword",
                "service": "PJSIP",
                "account": "1001",
                "remote_address": "IPV4/UDP/192.0.2.7/5060",
            },
        ),
        (
            Missed(NOON, "the connection was lost"),
            "stream.gap",
            None,
            {"lost": None, "reason": "the connection was lost"},
        ),
    ],
)
def test_happenings_are_told(
    happening: Happening, event_type: str, channel: str | None, data: dict[str, object]
) -> None:
    """Each kind of happening is an event of a documented type."""
    event = event_of(happening)
    assert (event.type, event.at, event.channel, event.data) == (event_type, NOON, channel, data)
    assert event.type in TYPES


def test_an_unknown_happening_is_a_mistake() -> None:
    """A kind that nobody has thought of here is not told of as something else."""
    with pytest.raises(TypeError, match="Happening"):
        event_of(Happening(NOON))
