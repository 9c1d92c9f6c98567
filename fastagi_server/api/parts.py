"""What the API is put together from beside its store: the telephone system, and browsers."""

from dataclasses import dataclass

from fastagi_server.api.asterisk_view import AsteriskView
from fastagi_server.api.live import LinkView, Switchboard, Watch
from fastagi_server.api.sockets import MAX_CONNECTIONS
from fastagi_server.calls.ports import CallControl
from fastagi_server.presence.desk import PresenceDesk
from fastagi_server.rooms.desk import RoomDesk
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.ice import IceBook


@dataclass(frozen=True, slots=True)
class PbxParts:
    """What the API has of a PBX; by default there is none.

    `control` rings participants; without it a call that would have to ring a dial string is refused
    with 503 `pbx_unreachable`. `view` is what operators look at; without it `asterisk/*` is refused
    in the same way. `link`, `switchboard` and `watch` are shown in `asterisk/live`. `room_desk` is
    the one that the PBX's events come to; without it there are rooms for users without telephones.
    """

    control: CallControl | None = None
    room_desk: RoomDesk | None = None
    view: AsteriskView | None = None
    link: LinkView | None = None
    switchboard: Switchboard | None = None
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class BrowserParts:
    """What the API has for browsers.

    `exchange` takes signaling messages, by default between users only; `ice` has the servers that
    browsers are told of, by default none. `presence_desk` knows who is there, by default by what
    users tell alone; `max_sockets` event sockets may be open at a time.
    """

    exchange: Exchange | None = None
    ice: IceBook | None = None
    presence_desk: PresenceDesk | None = None
    max_sockets: int = MAX_CONNECTIONS
