"""What an event, or a look at the PBX, means to the sightings of channels."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from fastagi_server.ami import events
from fastagi_server.ami.snapshots import ShownChannel
from fastagi_server.calls.sighting import Place, Report, Seen
from fastagi_server.calls.sightings import Sightings

CALLED_BY = ("AppDial", "AppQueue")
"""How the application begins that Asterisk shows for a channel which another one called."""

NOTHING: list[Report] = []


def read(sightings: Sightings, event: events.Event) -> list[Report]:
    """Tell the sightings of an event; the reports that it leads to."""
    reader = _READERS.get(type(event))
    return NOTHING if reader is None else reader(sightings, event)


def show(
    sightings: Sightings,
    channels: Iterable[ShownChannel],
    bridges: Iterable[events.Bridge],
    at: datetime,
) -> list[Report]:
    """Tell the sightings what is there now."""
    places = {each.unique_id: Place(each.unique_id, each.type, each.technology) for each in bridges}
    reports: list[Report] = []
    for shown in channels:
        seen = seen_of(shown.channel)
        sighting = sightings.sees(seen)
        if shown.application.startswith(CALLED_BY) and not sighting.caller:
            sighting.caller = seen.linked_id
        if shown.channel.state == "Ringing":
            reports += sightings.rings(seen, at)
        if shown.bridge_id in places:
            reports += sightings.enters(seen, places[shown.bridge_id], at)
    return reports


def seen_of(channel: events.Channel) -> Seen:
    """A channel in the words of the sightings."""
    return Seen(
        channel.unique_id,
        channel.linked_id,
        channel.name,
        channel.exten,
        channel.context,
        channel.caller_number,
        channel.caller_name,
    )


def _newchannel(sightings: Sightings, event: events.Newchannel) -> list[Report]:
    sightings.sees(seen_of(event.channel))
    return NOTHING


def _newstate(sightings: Sightings, event: events.Newstate) -> list[Report]:
    if event.channel.state != "Ringing":
        return NOTHING
    return sightings.rings(seen_of(event.channel), event.at)


def _dial_begin(sightings: Sightings, event: events.DialBegin) -> list[Report]:
    if event.caller is None:
        return NOTHING
    return sightings.dials(seen_of(event.caller), seen_of(event.destination))


def _dial_end(sightings: Sightings, event: events.DialEnd) -> list[Report]:
    if event.caller is None:
        return NOTHING
    caller, called = seen_of(event.caller), seen_of(event.destination)
    return sightings.stops_dialling(caller, called, event.dial_status, event.at)


def _bridge_enter(sightings: Sightings, event: events.BridgeEnter) -> list[Report]:
    bridge = event.bridge
    place = Place(bridge.unique_id, bridge.type, bridge.technology)
    return sightings.enters(seen_of(event.channel), place, event.at)


def _hold(sightings: Sightings, event: events.Hold) -> list[Report]:
    return sightings.holds(seen_of(event.channel), event.at, is_held=True)


def _unhold(sightings: Sightings, event: events.Unhold) -> list[Report]:
    return sightings.holds(seen_of(event.channel), event.at, is_held=False)


def _hangup(sightings: Sightings, event: events.Hangup) -> list[Report]:
    return sightings.ends(seen_of(event.channel), event.cause, event.at)


# A table, not a match: this runs for every event, and nine classes are many comparisons.
_READERS: dict[type[events.Event], Callable[[Sightings, Any], list[Report]]] = {
    events.Newchannel: _newchannel,
    events.Newstate: _newstate,
    events.DialBegin: _dial_begin,
    events.DialEnd: _dial_end,
    events.BridgeEnter: _bridge_enter,
    events.Hold: _hold,
    events.Unhold: _unhold,
    events.Hangup: _hangup,
}
