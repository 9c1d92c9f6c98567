"""The last known state of what is not a call: bridges, addresses of phones, devices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fastagi_server.ami import events
from fastagi_server.ami.snapshots import ShownContact
from fastagi_server.supervision.happenings import UNREACHABLE

Key = TypeVar("Key", str, tuple[str, str])

MAX_KNOWN = 50_000
"""Bridges, addresses and devices that are kept, each; what is new beyond that is left out."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are: live channels, bridges, and endpoints that can be reached."""

    channels: int
    bridges: int
    registered_endpoints: int


class Census:
    """Kept by events, and put right by each look at the PBX. `drops` counts what found no room."""

    def __init__(self, max_known: int = MAX_KNOWN) -> None:
        self.drops = 0
        self._max_known = max_known
        self._bridges: dict[str, str] = {}
        self._contacts: dict[tuple[str, str], str] = {}
        self._devices: dict[str, str] = {}

    @property
    def bridges(self) -> int:
        """How many bridges there are."""
        return len(self._bridges)

    @property
    def devices(self) -> Mapping[str, str]:
        """The last state of each device that has told one, such as INUSE of PJSIP/1001."""
        return self._devices

    def contacts(self) -> Mapping[str, Mapping[str, str]]:
        """For each endpoint the addresses that it is known at, with their last status."""
        found: dict[str, dict[str, str]] = {}
        for (endpoint, uri), status in self._contacts.items():
            found.setdefault(endpoint, {})[uri] = status
        return found

    def registered_endpoints(self) -> int:
        """How many endpoints can be reached at one address or more."""
        return len(
            {
                endpoint
                for (endpoint, _), status in self._contacts.items()
                if status not in UNREACHABLE
            }
        )

    def receive(self, event: events.Event) -> None:
        """Learn from an event."""
        match event:
            case events.BridgeCreate(bridge=bridge):
                self._keep(self._bridges, bridge.unique_id, bridge.type)
            case events.BridgeDestroy(bridge=bridge):
                self._bridges.pop(bridge.unique_id, None)
            case events.ContactStatus(status="Removed"):
                self._contacts.pop((event.endpoint or event.aor, event.uri), None)
            case events.ContactStatus():
                self._keep(self._contacts, (event.endpoint or event.aor, event.uri), event.status)
            case events.DeviceStateChange():
                self._keep(self._devices, event.device, event.state)
            case _:
                pass

    def show(self, bridges: Iterable[events.Bridge], contacts: Iterable[ShownContact]) -> None:
        """Learn what is there now. Devices cannot be listed: they keep their last state."""
        self._bridges = {each.unique_id: each.type for each in bridges}
        self._contacts = {(each.endpoint or each.aor, each.uri): each.status for each in contacts}

    def _keep(self, known: dict[Key, str], key: Key, value: str) -> None:
        if key not in known and len(known) >= self._max_known:
            self.drops += 1
            return
        known[key] = value
