"""The user agent: legs over TCP, to one Asterisk and from it.

    agent = SipAgent(asterisk=("127.0.0.1", 5060), listen=("127.0.0.1", 5070), on_invite=..., ...)
    tasks.create_task(agent.run())
    leg = agent.invite(number="1001", user="alice", sdp=..., on_event=...)

Requests of ours go over the connection that we keep open (`link`); Asterisk opens its own to where
we listen (`listener`). A response goes where its request came from, and may come from anywhere.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from secrets import token_hex
from typing import Any

import structlog

from fastagi_server.sip.addresses import Uri
from fastagi_server.sip.beginnings import Ground, called, calling, restored
from fastagi_server.sip.connection import Connection
from fastagi_server.sip.desk import Credentials
from fastagi_server.sip.dialogs import Origin, uri_host
from fastagi_server.sip.errors import SipError
from fastagi_server.sip.events import Invitation, LegState
from fastagi_server.sip.headers import Field
from fastagi_server.sip.legs import OnEvent, SipLeg
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.link import ANSWER_SECONDS, PING_SECONDS, SipLink
from fastagi_server.sip.listener import SipListener
from fastagi_server.sip.messages import Message, Request, Response
from fastagi_server.sip.replies import (
    Envelope,
    answer_plainly,
    extension_lacked,
    reply,
    stamped,
)
from fastagi_server.sip.seats import Seats
from fastagi_server.telemetry.measures import Measures

log = structlog.get_logger()

MAX_LEGS = 1000
OnInvite = Callable[[SipLeg, Invitation], None]


class SipAgent:
    """All legs of one gateway.

    `listen` is a host and port at which Asterisk reaches us, and is what we tell it; calls are
    taken from the addresses `peers`, and when it is None from where the link has found Asterisk.
    `fields` go into every request. `on_invite` is given each call of Asterisk's: it sets the leg's
    `on_event` at once, and rings, answers or refuses now or later. All callbacks run on the event
    loop, one after the other for a leg, and must not wait; what they raise is logged.
    """

    def __init__(
        self,
        *,
        asterisk: tuple[str, int],
        listen: tuple[str, int],
        on_invite: OnInvite,
        measures: Measures,
        fields: tuple[Field, ...] = (),
        credentials: Credentials | None = None,
        peers: frozenset[str] | None = None,
        limits: Limits | None = None,
        max_legs: int = MAX_LEGS,
        ping_seconds: float = PING_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._listen = listen
        self._on_invite = on_invite
        self._measures = measures
        self._max_legs = max_legs
        self._learns_peers = peers is None
        self._loop = asyncio.get_running_loop()
        self._seats = Seats(lambda: self._link.connection, measures)
        origin = Origin(uri_host(listen[0]), listen[1], fields)
        self._ground = Ground(
            origin, self._loop.time, limits or Limits(), credentials, self._seats.flush
        )
        self._listener = SipListener(
            self._receive,
            peers=frozenset({asterisk[0]}) if peers is None else peers,
            measures=measures,
        )
        self._link = SipLink(
            host=asterisk[0],
            port=asterisk[1],
            origin=origin,
            open_connection=lambda: Connection(self._receive, measures),
            on_found=self._found,
            on_lost=self._seats.disconnected,
            measures=measures,
            may_be_challenged=credentials is not None,
            ping_seconds=ping_seconds,
            answer_seconds=answer_seconds,
        )

    @property
    def state(self) -> str:
        """How the connection to Asterisk stands: see `link.SipLink`."""
        return self._link.state

    @property
    def since(self) -> datetime:
        """Since when it stands so, in UTC."""
        return self._link.since

    @property
    def last_error(self) -> str:
        """Why it was not up the last time that it was not; empty when it always was."""
        return self._link.last_error

    @property
    def legs(self) -> list[SipLeg]:
        """Every leg about which there is something to say or hear yet."""
        return self._seats.legs

    async def run(self) -> None:
        """Serve until cancelled. Raises `OSError` when the address to listen on is taken.

        At the end calls without an answer are taken back or refused. Those that are up are left
        as they are: they outlive us by their snapshots.
        """
        await self._listener.open(*self._listen)
        link = asyncio.create_task(self._link.run(), name="sip-link")
        try:
            await asyncio.wait({link})
        finally:
            for leg in self.legs:
                if leg.state is not LegState.UP:
                    leg.hang_up()
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
            self._listener.close()
            self._seats.close()

    def _found(self) -> None:
        connection = self._link.connection
        if connection is not None and self._learns_peers:
            self._listener.allow(connection.peer[0])
        self._seats.connected()

    # -- legs --

    def invite(
        self,
        *,
        number: str,
        user: str,
        sdp: str,
        on_event: OnEvent,
        display_name: str = "",
        session: str = "",
        headers: tuple[Field, ...] = (),
    ) -> SipLeg:
        """Call a number for a user. Never waits: what becomes of it is told by events.

        Without a connection, and with too many legs, that is `Refused` with 503, and with 513 for
        a description of more than 48 kB, which Asterisk could not take. Raises
        `SipValueError` when a number, a name or a header cannot be said in SIP.
        """
        asterisk = self._link.uri
        leg = calling(
            self._ground,
            uri=Uri(number, asterisk.host, asterisk.port),
            user=user,
            display_name=display_name,
            session=session,
            sdp=sdp,
            fields=headers,
            on_event=on_event,
        )
        if self._link.connection is not None and not self._is_full():
            self._seats.add(leg)
        else:
            self._seats.turn_away(leg)
        return leg

    def restore(self, saved: Mapping[str, Any], on_event: OnEvent) -> SipLeg:
        """Go on with the leg of a snapshot; before `run`, lest Asterisk ask for it in vain.

        It ends with 481 when Asterisk does not know it, and with 503 when there is no connection
        within 10 s. Raises `SipError`, `KeyError`, `TypeError` or `ValueError` for what is none.
        """
        leg = restored(self._ground, saved=saved, on_event=on_event)
        if self._link.connection is not None:
            leg.find()
        self._seats.add(leg)
        return leg

    def _is_full(self) -> bool:
        if len(self._seats) < self._max_legs:
            return False
        self._measures.drops.add("sip_legs")
        return True

    # -- what comes --

    def _receive(self, message: Message, connection: Connection) -> None:
        try:
            envelope = Envelope.of(message)
            if isinstance(message, Response):
                self._receive_response(message, envelope)
            else:
                self._receive_request(stamped(message, *connection.peer), envelope, connection)
        except SipError as error:
            self._measures.drops.add("sip_bad_message")
            log.warning("sip_bad_message", peer=connection.peer, reason=str(error))
            if isinstance(message, Request) and message.method != "ACK":
                connection.send(reply(message, 400, tag=token_hex(8)))
        except Exception:
            log.exception("sip_message_failed", peer=connection.peer)

    def _receive_response(self, response: Response, envelope: Envelope) -> None:
        if self._link.receive(response, envelope):
            return
        leg = self._seats.find(envelope.call_id)
        if leg is None or not leg.receive_response(response, envelope):
            self._measures.drops.add("sip_stray_response")
        if leg is not None:
            self._seats.flush(leg)

    def _receive_request(
        self, request: Request, envelope: Envelope, connection: Connection
    ) -> None:
        leg = self._seats.find(envelope.call_id, connection)
        if leg is not None:
            leg.receive_request(request, envelope)
            self._seats.flush(leg)
        elif envelope.receiver.tag is None and request.method == "INVITE":
            self._receive_invite(request, envelope, connection)
        elif request.method != "ACK":
            connection.send(_answer_stranger(request, envelope))

    def _receive_invite(self, invite: Request, envelope: Envelope, connection: Connection) -> None:
        if self._is_full():
            connection.send(reply(invite, 503, tag=token_hex(8)))
            return
        call = called(self._ground, invite=invite, envelope=envelope)
        if isinstance(call, Response):
            connection.send(call)
            return
        leg, invitation = call
        self._seats.add(leg, connection)
        try:
            self._on_invite(leg, invitation)
        except Exception:
            log.exception("sip_invite_failed")
            leg.refuse(500)


def _answer_stranger(request: Request, envelope: Envelope) -> Response:
    """The answer to a request of no call that we know."""
    tag = token_hex(8)
    if request.method == "CANCEL" or envelope.receiver.tag is not None:
        return reply(request, 481, tag=tag)
    return extension_lacked(request, tag) or answer_plainly(request, tag)
