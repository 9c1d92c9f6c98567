"""The gateway: the browsers' legs of all calls of this process.

    browser -> signaling.Exchange -> Gateway -> SIP leg -> Asterisk -> Stasis -> the call's legs

A user has one leg in a call at most. A call whose metadata says `caller_leg: webrtc` begins with
the offer of its caller; into any other one an offer brings the sender's leg only while it is led in
Asterisk. What Asterisk calls `PJSIP/<user>@<endpoint>` rings in the pages of that user.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from fastagi_server.calls.commands import LOGGED, Mute, Unmute, logged_facts
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.models import Call
from fastagi_server.calls.orders import is_browsers
from fastagi_server.gateway.incoming import offer_of, order_of, room_of
from fastagi_server.gateway.numbers import number_of
from fastagi_server.gateway.ports import LedCalls, Mail, Pages, UserAgent
from fastagi_server.gateway.reasons import Ending, Reason
from fastagi_server.gateway.register import HAS_BEGUN, SessionRegister
from fastagi_server.gateway.session import Session
from fastagi_server.identities.browsers import seat_of, user_at
from fastagi_server.signaling.candidates import read_candidate
from fastagi_server.signaling.errors import NoGatewayError, WrongStateError
from fastagi_server.signaling.models import ASTERISK, SignalKind, SignalMessage
from fastagi_server.signaling.payloads import description_of
from fastagi_server.sip.events import Invitation, LegState
from fastagi_server.sip.legs import SipLeg
from fastagi_server.store.errors import StoreError
from fastagi_server.supervise import UP

UNREACHABLE, BUSY, FAILED, UNAVAILABLE = 480, 486, 500, 503

_log = structlog.stdlib.get_logger("gateway")


class Gateway:
    """Takes messages of browsers (signaling.ports.Gateway) and invitations of Asterisk."""

    def __init__(
        self,
        agent: UserAgent,
        register: SessionRegister,
        *,
        mail: Mail,
        pages: Pages,
        led: LedCalls,
        journal: CallJournal,
    ) -> None:
        self._agent = agent
        self._register = register
        self._mail = mail
        self._pages = pages
        self._led = led
        self._journal = journal
        self._tasks: set[asyncio.Task[None]] = set()

    # -- from browsers ----------------------------------------------------------------------------

    async def receive(self, call: Call, user: str, message: SignalMessage) -> None:
        """See signaling.ports.Gateway.

        Mute and unmute raise CallStateError and PbxError, too.
        """
        session = self._register.find(call.id, user)
        match message.kind:
            case SignalKind.OFFER:
                self._offer(call, user, session, description_of(message.kind, message.payload))
            case SignalKind.ICE_CANDIDATE:
                self._add_candidate(call, user, session, message.payload)
            case SignalKind.HANGUP:
                self._hang_up(call, user, session)
            case _ if session is None:
                raise WrongStateError("You have no leg in this call")
            case SignalKind.ANSWER:
                session.answer(description_of(message.kind, message.payload))
            case SignalKind.MUTE | SignalKind.UNMUTE:
                await self._mute(call, user, is_muted=message.kind is SignalKind.MUTE)
            case _:
                raise WrongStateError("Asterisk takes no such message")

    def _offer(self, call: Call, user: str, session: Session | None, sdp: str) -> None:
        if session is not None:
            session.offer(sdp)
            return
        is_led = self._led.leads_call(call.id)
        _check_may_begin(call, user, is_led=is_led)
        if self._agent.state != UP or self._register.is_full:
            self._fail(call, user, is_led=is_led)
            raise NoGatewayError("Asterisk cannot be reached for calls from browsers")
        session = self._register.open(call.id, user, is_noted=not is_led)
        try:
            session.call(sdp, lambda prepared: self._invite(call, session, prepared))
        except Exception:
            self._register.discard(session)
            raise

    def _invite(self, call: Call, session: Session, sdp: str) -> SipLeg:
        return self._agent.invite(
            number=number_of(call.participants),
            user=seat_of(session.user),
            display_name=session.user,
            session=call.id,
            sdp=sdp,
            on_event=session.hear,
        )

    def _fail(self, call: Call, user: str, *, is_led: bool) -> None:
        ending = Ending(Reason.GATEWAY_LOST, UNAVAILABLE)
        self._mail.deliver(
            call.id,
            from_user=ASTERISK,
            to_user=user,
            kind=SignalKind.HANGUP,
            payload=ending.payload,
        )
        self._register.count(ending)
        if not is_led:
            self._register.note_end(call.id, ending)

    def _add_candidate(
        self, call: Call, user: str, session: Session | None, payload: object
    ) -> None:
        candidate = read_candidate(payload)
        if session is None:
            if candidate is not None:
                self._register.add_early(call.id, user, candidate.line)
        elif candidate is None:
            session.candidates.release()
        else:
            session.candidates.add(candidate.line)

    def _hang_up(self, call: Call, user: str, session: Session | None) -> None:
        if session is not None:
            session.hang_up()
        elif (
            user == call.caller_id
            and is_browsers(call.metadata)
            and not self._led.leads_call(call.id)
        ):
            self._register.note_end(call.id, Ending(Reason.CANCELLED, by_user=True))

    async def _mute(self, call: Call, user: str, *, is_muted: bool) -> None:
        # By its user's name: without one, whoever is there would do.
        command = Mute(user, "in") if is_muted else Unmute(user, "in")
        await self._led.perform(call, command, user, frozenset({user}))
        await self._journal.log(call.id, LOGGED[type(command)], user, logged_facts(command))

    # -- from Asterisk ----------------------------------------------------------------------------

    def invited(self, leg: SipLeg, invitation: Invitation) -> None:
        """Ring in the pages of a user; for `on_invite` of the agent."""
        user = user_at(invitation.user)
        if user is None or not self._pages.is_reachable(user):
            leg.refuse(UNREACHABLE)
        elif self._register.is_full:
            leg.refuse(UNAVAILABLE)
        else:
            self._later(self._ring(leg, invitation, user))

    async def _ring(self, leg: SipLeg, invitation: Invitation, user: str) -> None:
        try:
            call = await self._call_of(invitation, user)
            self._ring_for(call, leg, invitation, user)
        except StoreError as error:
            _log.warning("browser_not_rung", user=user, reason=str(error))
            leg.refuse(UNAVAILABLE)
        except Exception:  # noqa: BLE001 - whatever it was, Asterisk waits for an answer
            _log.exception("browser_not_rung", user=user)
            leg.refuse(FAILED)

    def _ring_for(self, call: Call | None, leg: SipLeg, invitation: Invitation, user: str) -> None:
        if call is None:
            leg.refuse(UNREACHABLE)
        elif leg.state is LegState.ENDED:
            # Taken back while its call was looked for; one that is ours has just begun.
            if _is_ours(invitation):
                self._register.note_end(call.id, Ending(Reason.CANCELLED))
        elif self._register.find(call.id, user) is not None:
            leg.refuse(BUSY)
        else:
            is_noted = _is_ours(invitation)
            session = self._register.open(call.id, user, is_noted=is_noted)
            leg.on_event = session.hear
            session.ring(leg, offer_of(invitation))

    async def _call_of(self, invitation: Invitation, user: str) -> Call | None:
        if _is_ours(invitation):
            return await self._journal.register(order_of(invitation, user))
        call = await self._journal.get(invitation.session)
        return call if call is not None and call.is_active else None

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="gateway-ring")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ring nobody more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _is_ours(invitation: Invitation) -> bool:
    """Whether nobody else keeps a record of what Asterisk rings a user for."""
    return not invitation.session or room_of(invitation) is not None


def _check_may_begin(call: Call, user: str, *, is_led: bool) -> None:
    """Raise WrongStateError unless an offer of this user makes a leg of the call."""
    if is_led:
        if user != call.caller_id and call.status not in HAS_BEGUN:
            raise WrongStateError("The call is not connected yet")
    elif not is_browsers(call.metadata) or user != call.caller_id:
        raise WrongStateError(
            "The call does not go through Asterisk: its caller makes it so with the metadata"
            " caller_leg=webrtc"
        )
