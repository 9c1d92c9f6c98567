"""Manager messages made into `events`, each by a function of its own: they come by the thousand."""

from collections.abc import Callable, Mapping
from datetime import datetime

from fastagi_server.ami import events
from fastagi_server.ami.events import Bridge, Channel, Event
from fastagi_server.ami.reading import (
    Headers,
    bridge,
    called_channel,
    channel,
    event_name,
    identifier,
    instant,
    number,
    read_headers,
    roundtrip_seconds,
    text,
)


def read_event(message: bytes, received: datetime) -> Event | None:
    """The event that a message is; None for one without a class in `events`.

    `received` is its time when it has none of its own. Raises `AmiMessageError` when it lacks what
    its kind cannot do without.
    """
    decode = DECODERS.get(event_name(message))
    return decode(read_headers(message), received) if decode else None


def _system(headers: Headers) -> str:
    return headers.get("SystemName", "")


def _optional_channel(headers: Headers) -> Channel | None:
    return channel(headers) if "Uniqueid" in headers else None


def _fully_booted(headers: Headers, received: datetime) -> Event:
    at, system = instant(headers, received), _system(headers)
    return events.FullyBooted(at, system, number(headers, "Uptime"))


def _shutdown(headers: Headers, received: datetime) -> Event:
    at, system = instant(headers, received), _system(headers)
    return events.Shutdown(at, system, headers.get("Restart") == "True")


def _reload(headers: Headers, received: datetime) -> Event:
    at, system = instant(headers, received), _system(headers)
    return events.Reload(at, system, headers.get("Module", ""), number(headers, "Status"))


def _of_channel(
    kind: Callable[[datetime, str, Channel], Event],
) -> Callable[[Headers, datetime], Event]:
    def decode(headers: Headers, received: datetime) -> Event:
        return kind(instant(headers, received), _system(headers), channel(headers))

    return decode


def _hangup(headers: Headers, received: datetime) -> Event:
    return events.Hangup(
        instant(headers, received),
        _system(headers),
        channel(headers),
        number(headers, "Cause"),
        headers.get("Cause-txt", ""),
    )


def _dial_begin(headers: Headers, received: datetime) -> Event:
    return events.DialBegin(
        instant(headers, received),
        _system(headers),
        _optional_channel(headers),
        called_channel(headers),
        headers.get("DialString", ""),
    )


def _dial_end(headers: Headers, received: datetime) -> Event:
    return events.DialEnd(
        instant(headers, received),
        _system(headers),
        _optional_channel(headers),
        called_channel(headers),
        headers.get("DialStatus", ""),
    )


def _of_bridge(
    kind: Callable[[datetime, str, Bridge], Event],
) -> Callable[[Headers, datetime], Event]:
    def decode(headers: Headers, received: datetime) -> Event:
        return kind(instant(headers, received), _system(headers), bridge(headers))

    return decode


def _bridge_enter(headers: Headers, received: datetime) -> Event:
    return events.BridgeEnter(
        instant(headers, received),
        _system(headers),
        bridge(headers),
        channel(headers),
        headers.get("SwapUniqueid", ""),
    )


def _bridge_leave(headers: Headers, received: datetime) -> Event:
    at, system = instant(headers, received), _system(headers)
    return events.BridgeLeave(at, system, bridge(headers), channel(headers))


def _contact_status(headers: Headers, received: datetime) -> Event:
    return events.ContactStatus(
        instant(headers, received),
        _system(headers),
        identifier(headers, "AOR"),
        text(headers, "EndpointName"),
        headers.get("URI", ""),
        headers.get("ContactStatus", ""),
        roundtrip_seconds(headers),
    )


def _device_state(headers: Headers, received: datetime) -> Event:
    at, system = instant(headers, received), _system(headers)
    device, state = identifier(headers, "Device"), headers.get("State", "")
    return events.DeviceStateChange(at, system, device, state)


def _registry(headers: Headers, received: datetime) -> Event:
    return events.Registry(
        instant(headers, received),
        _system(headers),
        headers.get("ChannelType", ""),
        headers.get("Username", ""),
        headers.get("Domain", ""),
        headers.get("Status", ""),
        headers.get("Cause", ""),
    )


def _originate_response(headers: Headers, received: datetime) -> Event:
    return events.OriginateResponse(
        instant(headers, received),
        _system(headers),
        headers.get("ActionID", ""),
        headers.get("Response", ""),
        text(headers, "Uniqueid"),
        headers.get("Channel", ""),
        headers.get("Context", ""),
        headers.get("Exten", ""),
        number(headers, "Reason"),
    )


def _user_event(headers: Headers, received: datetime) -> Event:
    return events.UserEvent(
        instant(headers, received),
        _system(headers),
        identifier(headers, "UserEvent"),
        _optional_channel(headers),
        headers,
    )


def _security_event(headers: Headers, received: datetime) -> Event:
    return events.SecurityEvent(
        instant(headers, received),
        _system(headers),
        headers["Event"],
        headers.get("Service", ""),
        headers.get("Severity", ""),
        headers.get("AccountID", ""),
        headers.get("LocalAddress", ""),
        headers.get("RemoteAddress", ""),
    )


DECODERS: Mapping[bytes, Callable[[Headers, datetime], Event]] = {
    b"FullyBooted": _fully_booted,
    b"Shutdown": _shutdown,
    b"Reload": _reload,
    b"Newchannel": _of_channel(events.Newchannel),
    b"Newstate": _of_channel(events.Newstate),
    b"Hangup": _hangup,
    b"Hold": _of_channel(events.Hold),
    b"Unhold": _of_channel(events.Unhold),
    b"DialBegin": _dial_begin,
    b"DialEnd": _dial_end,
    b"BridgeCreate": _of_bridge(events.BridgeCreate),
    b"BridgeDestroy": _of_bridge(events.BridgeDestroy),
    b"BridgeEnter": _bridge_enter,
    b"BridgeLeave": _bridge_leave,
    b"ContactStatus": _contact_status,
    b"DeviceStateChange": _device_state,
    b"Registry": _registry,
    b"OriginateResponse": _originate_response,
    b"UserEvent": _user_event,
    **{kind.encode(): _security_event for kind in events.SECURITY_KINDS},
}
"""How each event of interest is read, by its name."""
