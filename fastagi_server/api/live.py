"""What is live: one look at the calls with their legs, the rooms, and the link to Asterisk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fastagi_server.api.bodies import call_body
from fastagi_server.api.room_bodies import room_body
from fastagi_server.calls.legs import Leg, LegState
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.rooms.registry import RoomRegistry
from fastagi_server.supervision.strangers import Stranger

MAX_LIVE = 500
"""Calls and rooms in one look; their rows are read on the event loop."""

_LOOKER = Identity("operator", frozenset({Scope.OPERATOR}))


class LinkView(Protocol):
    """How the link to Asterisk stands."""

    @property
    def state(self) -> str:
        """In one word, `up` when events come."""
        ...

    @property
    def since(self) -> datetime:
        """Since when it stands so."""
        ...

    @property
    def last_error(self) -> str:
        """Why it was last not up; empty when it always was."""
        ...


class Switchboard(Protocol):
    """Who leads calls in Asterisk."""

    @property
    def calls(self) -> Sequence[LiveCall]:
        """The calls that are led, with their legs."""
        ...


class Watch(Protocol):
    """Who sees all calls."""

    @property
    def link(self) -> LinkView:
        """How the link stands that it sees by."""
        ...

    def not_registered(self) -> Sequence[Stranger]:
        """The live channels whose call nobody has registered."""
        ...


class LiveLook:
    """Puts together what is live; `link` and `switchboard` are None without an Asterisk.

    `watch` is None where calls are not supervised.
    """

    def __init__(
        self,
        *,
        calls: CallRegistry,
        rooms: RoomRegistry,
        link: LinkView | None,
        switchboard: Switchboard | None,
        watch: Watch | None,
    ) -> None:
        self._calls = calls
        self._rooms = rooms
        self._link = link
        self._switchboard = switchboard
        self._watch = watch

    async def look(self) -> dict[str, Any]:
        """What LiveBody describes."""
        calls = await self._calls.active(_LOOKER, MAX_LIVE)
        rooms = await self._rooms.active(_LOOKER, MAX_LIVE)
        legs, watch = self._legs(), self._watch
        return {
            "link": _link_body(self._link) if self._link is not None else None,
            "calls": [{**call_body(call), "legs": legs.get(call.id, [])} for call in calls],
            "rooms": [room_body(room) for room in rooms],
            "manager_link": _link_body(watch.link) if watch is not None else None,
            "not_registered": list(map(_stranger_body, watch.not_registered() if watch else ())),
        }

    def _legs(self) -> Mapping[str, list[dict[str, Any]]]:
        live = self._switchboard.calls if self._switchboard is not None else ()
        return {
            call.call_id: [_leg_body(leg) for leg in call.legs if leg.state is not LegState.GONE]
            for call in live
        }


def _link_body(link: LinkView) -> dict[str, Any]:
    return {"state": link.state, "since": link.since, "last_error": link.last_error or None}


def _stranger_body(stranger: Stranger) -> dict[str, Any]:
    return {
        "channel_id": stranger.unique_id,
        "channel": stranger.name,
        "context": stranger.context,
        "extension": stranger.exten,
        "since": stranger.since,
    }


def _leg_body(leg: Leg) -> dict[str, Any]:
    return {
        "channel_id": leg.channel_id if leg.state is not LegState.WAITING else None,
        "participant": leg.participant or None,
        "state": leg.state,
        "is_on_hold": leg.is_held or leg.is_parked,
    }
