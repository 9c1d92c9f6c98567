"""What the outside is told of the PBX, and what is known of its endpoints and devices."""

from watched import NOON, RUN, Scene, at, bridge, channel

from fastagi_server.ami import events
from fastagi_server.ami.snapshots import ShownContact
from fastagi_server.supervision.census import Census
from fastagi_server.supervision.happenings import (
    ChannelDown,
    ChannelUp,
    DeviceChanged,
    EndpointRegistered,
    EndpointUnregistered,
    Happening,
    SecurityAlert,
)

URI = "sip:1001@192.0.2.7"


def contact(status: str, uri: str = URI, *, endpoint: str = "1001") -> events.ContactStatus:
    """ContactStatus of 1001."""
    return events.ContactStatus(NOON, "", "1001", endpoint, uri, status, 0.001)


async def test_everything_is_told_in_order() -> None:
    """Channels, phones, devices and those who were turned away; a ring is no news of its own."""
    told: list[Happening] = []
    scene = Scene(on_sighting=told.append)
    await scene.supervision.connected(RUN)
    await scene.happen(
        events.Newchannel(NOON, "", channel(0)),
        events.Newstate(NOON, "", channel(0, "Ringing")),
        contact("Reachable"),
        contact("Unreachable"),
        contact("Removed", endpoint=""),
        events.DeviceStateChange(NOON, "", "PJSIP/1001", "INUSE"),
        events.SecurityEvent(NOON, "", "InvalidPassword", "PJSIP", "Error", "1001", "", "IPV4/x"),
        events.Hangup(at(1), "", channel(0), 17, "User busy"),
    )
    assert told == [
        ChannelUp(NOON, "17.0", "PJSIP/1000-00000000", "1000", "1001", "sky-genesis-voip"),
        EndpointRegistered(NOON, "1001", URI),
        EndpointUnregistered(NOON, "1001", URI, "Unreachable"),
        EndpointUnregistered(NOON, "1001", URI, "Removed"),
        DeviceChanged(NOON, "PJSIP/1001", "INUSE"),
        SecurityAlert(NOON, "InvalidPassword", "PJSIP", "1001", "IPV4/x"),
        ChannelDown(at(1), "17.0", "PJSIP/1000-00000000", 17),
    ]


def test_endpoints_and_their_addresses() -> None:
    """An endpoint is registered while one of its addresses can be reached."""
    census = Census()
    census.receive(contact("Reachable"))
    census.receive(contact("Created", "sip:1001@192.0.2.8"))
    census.receive(contact("Unreachable"))
    assert census.registered_endpoints() == 1
    assert census.contacts() == {"1001": {URI: "Unreachable", "sip:1001@192.0.2.8": "Created"}}
    census.receive(contact("Removed", "sip:1001@192.0.2.8"))
    assert (census.registered_endpoints(), len(census.contacts())) == (0, 1)


def test_bridges_and_devices() -> None:
    """Each has its last state."""
    census = Census()
    census.receive(events.BridgeCreate(NOON, "", bridge()))
    census.receive(events.BridgeCreate(NOON, "", bridge("c")))
    census.receive(events.BridgeDestroy(NOON, "", bridge()))
    census.receive(events.DeviceStateChange(NOON, "", "PJSIP/1001", "INUSE"))
    census.receive(events.DeviceStateChange(NOON, "", "PJSIP/1001", "NOT_INUSE"))
    census.receive(events.Newchannel(NOON, "", channel(0)))
    assert (census.bridges, dict(census.devices)) == (1, {"PJSIP/1001": "NOT_INUSE"})


def test_a_look_puts_it_right() -> None:
    """What it does not find is not there."""
    census = Census()
    census.receive(events.BridgeCreate(NOON, "", bridge()))
    census.receive(contact("Reachable"))
    census.show([], [ShownContact("1002", "", "sip:1002@a", "Reachable", "", 0, 0.0)])
    assert (census.bridges, census.contacts()) == (0, {"1002": {"sip:1002@a": "Reachable"}})


def test_no_more_than_was_agreed() -> None:
    """What is new beyond the limit is left out and counted; what is known is kept up to date."""
    census = Census(max_known=1)
    census.receive(contact("Reachable"))
    census.receive(contact("Reachable", "sip:1001@192.0.2.8"))
    census.receive(contact("Unreachable"))
    assert (census.contacts(), census.drops) == ({"1001": {URI: "Unreachable"}}, 1)
