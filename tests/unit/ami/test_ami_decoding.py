"""Events out of messages."""

from datetime import UTC, datetime

import pytest
from ami_samples import BRIDGE, SECURITY, channel, event

from fastagi_server.ami import events
from fastagi_server.ami.decoding import DECODERS, read_event
from fastagi_server.ami.errors import AmiMessageError
from fastagi_server.ami.events import Bridge, Channel, Event

RECEIVED = datetime(2030, 1, 2, tzinfo=UTC)
AT = datetime(2026, 11, 23, 2, 55, 58, 531085, tzinfo=UTC)
CHANNEL = Channel(
    unique_id="1795402558.1",
    linked_id="1795402558.0",
    name="PJSIP/1001-00000001",
    state="Up",
    caller_number="1001",
    caller_name="Hélène",
    connected_number="",
    exten="1002",
    context="sky-genesis-voip",
    account_code="sales",
)
CALLED = Channel(
    unique_id="1795402558.2",
    linked_id="1795402558.0",
    name="PJSIP/1001-00000002",
    state="Up",
    caller_number="1001",
    caller_name="Hélène",
    connected_number="",
    exten="1002",
    context="sky-genesis-voip",
    account_code="sales",
)
JOINED = Bridge("a1ac1413-10f1-451b-9f6a-e5cc9a037bae", "basic", "simple_bridge", "", "", 2)


def read(message: bytes) -> Event:
    """An event that there is."""
    found = read_event(message, RECEIVED)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            event("FullyBooted", ("Uptime", "14"), ("Status", "Fully Booted")),
            events.FullyBooted(AT, "pbx1", 14),
        ),
        (
            event("Shutdown", ("Shutdown", "Cleanly"), ("Restart", "True")),
            events.Shutdown(AT, "pbx1", restart=True),
        ),
        (
            event("Shutdown", ("Shutdown", "Uncleanly"), ("Restart", "False")),
            events.Shutdown(AT, "pbx1", restart=False),
        ),
        (
            event("Reload", ("Module", "All"), ("Status", "0")),
            events.Reload(AT, "pbx1", "All", 0),
        ),
        (event("Newchannel", *channel()), events.Newchannel(AT, "pbx1", CHANNEL)),
        (event("Newstate", *channel()), events.Newstate(AT, "pbx1", CHANNEL)),
        (
            event("Hangup", *channel(), ("Cause", "17"), ("Cause-txt", "User busy")),
            events.Hangup(AT, "pbx1", CHANNEL, 17, "User busy"),
        ),
        (event("Hold", *channel(), ("MusicClass", "")), events.Hold(AT, "pbx1", CHANNEL)),
        (event("Unhold", *channel()), events.Unhold(AT, "pbx1", CHANNEL)),
        (
            event("DialBegin", *channel(), *channel("Dest", "2"), ("DialString", "1001")),
            events.DialBegin(AT, "pbx1", CHANNEL, CALLED, "1001"),
        ),
        (
            event("DialBegin", *channel("Dest", "2"), ("DialString", "1001")),
            events.DialBegin(AT, "pbx1", None, CALLED, "1001"),
        ),
        (
            event("DialEnd", *channel(), *channel("Dest", "2"), ("DialStatus", "BUSY")),
            events.DialEnd(AT, "pbx1", CHANNEL, CALLED, "BUSY"),
        ),
        (event("BridgeCreate", *BRIDGE), events.BridgeCreate(AT, "pbx1", JOINED)),
        (event("BridgeDestroy", *BRIDGE), events.BridgeDestroy(AT, "pbx1", JOINED)),
        (
            event("BridgeEnter", *BRIDGE, *channel(), ("SwapUniqueid", "1795402558.9")),
            events.BridgeEnter(AT, "pbx1", JOINED, CHANNEL, "1795402558.9"),
        ),
        (
            event("BridgeLeave", *BRIDGE, *channel()),
            events.BridgeLeave(AT, "pbx1", JOINED, CHANNEL),
        ),
        (
            event(
                "ContactStatus",
                ("URI", "sip:1001@127.0.0.1:21010"),
                ("ContactStatus", "Reachable"),
                ("AOR", "1001"),
                ("EndpointName", "1001"),
                ("RoundtripUsec", "706"),
            ),
            events.ContactStatus(
                AT, "pbx1", "1001", "1001", "sip:1001@127.0.0.1:21010", "Reachable", 0.000706
            ),
        ),
        (
            event("DeviceStateChange", ("Device", "PJSIP/1001"), ("State", "RINGING")),
            events.DeviceStateChange(AT, "pbx1", "PJSIP/1001", "RINGING"),
        ),
        (
            event(
                "Registry",
                ("ChannelType", "pjsip"),
                ("Username", "sip:me@carrier"),
                ("Domain", "sip:carrier"),
                ("Status", "Rejected"),
                ("Cause", "403"),
            ),
            events.Registry(
                AT, "pbx1", "pjsip", "sip:me@carrier", "sip:carrier", "Rejected", "403"
            ),
        ),
        (
            event(
                "OriginateResponse",
                ("ActionID", "x2"),
                ("Response", "Success"),
                ("Channel", "Local/wait@lab-00000002;1"),
                ("Context", "lab"),
                ("Exten", "wait"),
                ("Reason", "4"),
                ("Uniqueid", "<null>"),
            ),
            events.OriginateResponse(
                AT, "pbx1", "x2", "Success", "", "Local/wait@lab-00000002;1", "lab", "wait", 4
            ),
        ),
        (
            event("InvalidPassword", *SECURITY),
            events.SecurityEvent(
                AT,
                "pbx1",
                "InvalidPassword",
                "AMI",
                "Error",
                "sky-genesis",
                "IPV4/TCP/127.0.0.1/21001",
                "IPV4/TCP/127.0.0.1/49150",
            ),
        ),
    ],
)
def test_each_event_is_read_whole(message: bytes, expected: Event) -> None:
    """With all that Asterisk says of use."""
    assert read(message) == expected


def test_a_user_event_keeps_what_the_dialplan_said() -> None:
    """And the channel that said it."""
    found = read(event("UserEvent", *channel(), ("UserEvent", "Door"), ("Number", "7")))
    assert isinstance(found, events.UserEvent)
    assert (found.name, found.channel) == ("Door", CHANNEL)
    assert found.headers["Number"] == "7"


def test_a_user_event_of_nobody_has_no_channel() -> None:
    """It came over the manager interface."""
    found = read(event("UserEvent", ("UserEvent", "Door")))
    assert isinstance(found, events.UserEvent)
    assert found.channel is None


def test_every_kind_of_security_event_is_read() -> None:
    """By its name."""
    kinds = {
        found.kind
        for kind in events.SECURITY_KINDS
        if isinstance(found := read(event(kind, *SECURITY)), events.SecurityEvent)
    }
    assert kinds == events.SECURITY_KINDS
    assert len(kinds) == 13


def test_every_event_of_the_supervision_set_is_read() -> None:
    """And no step of the dialplan."""
    names = {name.decode() for name in DECODERS} - events.SECURITY_KINDS
    assert names == {
        "BridgeCreate",
        "BridgeDestroy",
        "BridgeEnter",
        "BridgeLeave",
        "ContactStatus",
        "DeviceStateChange",
        "DialBegin",
        "DialEnd",
        "FullyBooted",
        "Hangup",
        "Hold",
        "Newchannel",
        "Newstate",
        "OriginateResponse",
        "Registry",
        "Reload",
        "Shutdown",
        "Unhold",
        "UserEvent",
    }


@pytest.mark.parametrize(
    "message",
    [
        event("VarSet", *channel(), ("Variable", "X")),
        event("Newexten", *channel()),
        event("newchannel", *channel()),
        b"Response: Success\r\nEvent: Hangup",
        b"",
    ],
)
def test_what_has_no_class_is_no_event(message: bytes) -> None:
    """And costs no more than its name."""
    assert read_event(message, RECEIVED) is None


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        (event("Newchannel"), "a Newchannel without Uniqueid"),
        (event("Hangup", ("Uniqueid", "")), "a Hangup without Uniqueid"),
        (event("DialBegin", *channel()), "a DialBegin without DestUniqueid"),
        (event("BridgeEnter", *channel()), "a BridgeEnter without BridgeUniqueid"),
        (event("BridgeEnter", *BRIDGE), "a BridgeEnter without Uniqueid"),
        (event("ContactStatus"), "a ContactStatus without AOR"),
        (event("DeviceStateChange"), "a DeviceStateChange without Device"),
        (event("UserEvent"), "a UserEvent without UserEvent"),
    ],
)
def test_an_event_of_nobody_is_refused(message: bytes, missing: str) -> None:
    """Nobody could say what it is about."""
    with pytest.raises(AmiMessageError, match=missing):
        read_event(message, RECEIVED)


def test_what_may_be_missing_is_empty() -> None:
    """A channel is known by its id."""
    found = read(b"Event: Hangup\r\nUniqueid: 1.1")
    assert found == events.Hangup(
        RECEIVED, "", Channel("1.1", "1.1", "", "", "", "", "", "", "", ""), 0, ""
    )
