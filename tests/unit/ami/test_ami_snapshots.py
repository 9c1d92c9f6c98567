"""Lists of what is there."""

import pytest

from fastagi_server.ami.errors import AmiMessageError
from fastagi_server.ami.snapshots import (
    ShownContact,
    read_bridges,
    read_channels,
    read_contacts,
)

CHANNEL = {
    "Event": "CoreShowChannel",
    "Channel": "PJSIP/1001-00000000",
    "ChannelStateDesc": "Up",
    "CallerIDNum": "1001",
    "Uniqueid": "1795402558.2",
    "Linkedid": "1795402558.0",
    "Application": "AppDial",
    "ApplicationData": "(Outgoing Line)",
    "Duration": "01:02:03",
    "BridgeId": "a1ac1413",
}
CONTACT = {
    "ObjectName": "1001;@0bb3fdb1e3c403f5092bd19dc90d7eff",
    "Endpoint": "1001",
    "Uri": "sip:1001@127.0.0.1:20010",
    "UserAgent": "Phone 1",
    "ExpirationTime": "1795402858",
    "Status": "Reachable",
    "RoundtripUsec": "6246",
}


def test_a_channel_with_its_bridge_and_its_age() -> None:
    """And what the dialplan has it do."""
    shown = read_channels([CHANNEL])[0]
    assert shown.channel.unique_id == "1795402558.2"
    assert shown.bridge_id == "a1ac1413"
    assert (shown.application, shown.application_data) == ("AppDial", "(Outgoing Line)")
    assert shown.seconds == 3723


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("00:00:00", 0),
        ("100:00:01", 360_001),
        ("", 0),
        ("1:2:3", 0),
        ("-1:00:00", 0),
        ("\u0660\u0660:00:01", 0),
    ],
)
def test_an_age_that_is_none_is_zero(duration: str, seconds: int) -> None:
    """Hours have as many digits as they need."""
    assert read_channels([{**CHANNEL, "Duration": duration}])[0].seconds == seconds


def test_a_bridge_and_how_many_are_in_it() -> None:
    """Named by its creator, if that has a name for it."""
    listed = {
        "BridgeUniqueid": "a1ac1413",
        "BridgeType": "basic",
        "BridgeTechnology": "simple_bridge",
        "BridgeCreator": "ConfBridge",
        "BridgeName": "<unknown>",
        "BridgeNumChannels": "3",
    }
    bridge = read_bridges([listed])[0]
    assert (bridge.unique_id, bridge.creator, bridge.name) == ("a1ac1413", "ConfBridge", "")
    assert bridge.channel_count == 3


def test_a_contact_and_its_aor() -> None:
    """Which is the beginning of its name."""
    assert read_contacts([CONTACT]) == [
        ShownContact(
            aor="1001",
            endpoint="1001",
            uri="sip:1001@127.0.0.1:20010",
            status="Reachable",
            user_agent="Phone 1",
            expires_at=1_795_402_858,
            roundtrip_seconds=0.006246,
        )
    ]


def test_a_contact_from_a_file_never_expires() -> None:
    """And was perhaps never asked."""
    static = read_contacts([{"ObjectName": "trunk;@1", "ExpirationTime": "0"}])[0]
    assert (static.aor, static.expires_at, static.roundtrip_seconds) == ("trunk", 0, 0.0)


@pytest.mark.parametrize("read", [read_channels, read_bridges, read_contacts])
def test_what_has_no_id_is_refused(read: object) -> None:
    """The list is of no use then."""
    assert callable(read)
    with pytest.raises(AmiMessageError, match="without"):
        read([{"Event": "x"}])
    assert read([]) == []
