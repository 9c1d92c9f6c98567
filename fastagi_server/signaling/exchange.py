"""The exchange: takes signaling messages, checks who may send them, and puts them into mailboxes.

A message to a user is relayed as it is. One to `asterisk` goes to the gateway, which makes it a
call of the PBX, and whose own messages come in by `deliver`. All of it is in this process's memory:
a message is good for seconds, and the call it belongs to is in the records.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from typing import Any

from fastagi_server.calls.errors import CallEndedError, CallForbiddenError, CallNotFoundError
from fastagi_server.calls.journal import utc_now
from fastagi_server.calls.models import Call
from fastagi_server.identities.extensions import Directory
from fastagi_server.identities.identity import Identity
from fastagi_server.signaling.errors import NoGatewayError, UnknownAddresseeError
from fastagi_server.signaling.mailbox import Mailboxes
from fastagi_server.signaling.models import ASTERISK, SignalKind, SignalMessage
from fastagi_server.signaling.payloads import check_payload, size_of
from fastagi_server.signaling.ports import Attendance, Calls, Gateway, Push
from fastagi_server.signaling.waits import Waits
from fastagi_server.telemetry.measures import Measures

MAX_WAIT_SECONDS = 30.0


class Exchange:
    """All signaling of one process.

    `gateway` is None where no call from a browser can reach the PBX; whoever makes one sets it
    before the first message comes. `push` tells users at once, `attendance` hears who waits.
    `send` and `read` ask whether the identity is a party of the call: its caller, somebody whom
    `directory` knows behind a participant, or whom the gateway has written to in this call. They
    raise CallNotFoundError and CallForbiddenError.
    """

    gateway: Gateway | None = None

    def __init__(
        self,
        *,
        calls: Calls,
        directory: Directory,
        measures: Measures,
        push: Push | None = None,
        attendance: Attendance | None = None,
        mailboxes: Mailboxes | None = None,
        now: Callable[[], datetime] = utc_now,
        first_number: int | None = None,
    ) -> None:
        self._calls = calls
        self._directory = directory
        self._measures = measures
        self._push = push
        self._attendance = attendance
        self._boxes = mailboxes or Mailboxes(measures=measures)
        self._waits = Waits()
        self._now = now
        # A run of the process begins above all numbers of the runs before, so that cursors last:
        # no process takes a million messages a second.
        self._last = time.time_ns() // 1000 if first_number is None else first_number - 1

    async def send(
        self, call_id: str, by: Identity, to_user: str, kind_text: str, payload: Any
    ) -> SignalMessage:
        """Take a client's message to another party of the call or to `asterisk`.

        Raises SignalingError, and CallEndedError. `to_user` may be a participant as the call has it
        (`SIP/1002`) if that is the telephone of exactly one user.
        """
        kind = SignalKind.sent(kind_text)
        call = await self._find(call_id, by)
        if not call.is_active:
            self.end(call_id)
            raise CallEndedError
        to_user = self._addressee(call, by, to_user)
        size = check_payload(kind, payload)
        message = self._compose(call_id, by.name, to_user, kind, payload)
        if to_user == ASTERISK:
            await self._hand_over(call, message)
        else:
            self._put(message, size)
        return message

    def deliver(
        self, call_id: str, *, from_user: str, to_user: str, kind: SignalKind, payload: Any
    ) -> SignalMessage:
        """Put a message into the mailbox without asking anybody: the gateway's way in."""
        message = self._compose(call_id, from_user, to_user, kind, payload)
        self._put(message, size_of(payload))
        if from_user == ASTERISK:
            self.admit(call_id, to_user)
        return message

    def admit(self, call_id: str, user: str) -> None:
        """The user speaks with Asterisk in this call, as after a restart of the gateway.

        So he is a party of it, and hears from the gateway of its end.
        """
        self._boxes.open(call_id).at_asterisk.add(user)

    async def read(
        self, call_id: str, by: Identity, *, after: int = 0, wait_seconds: float = 0
    ) -> Sequence[SignalMessage]:
        """The messages to this identity behind a sequence number, oldest first.

        While there is none it waits, for `MAX_WAIT_SECONDS` at most. Nothing is consumed, and a
        call that has ended can still be read. A number that was never given out, as after a clock
        was set back, is behind nothing. Raises TooManyWaitsError.
        """
        await self._find(call_id, by)
        if after > self._last:
            after = 0
        messages = self._messages(call_id, by, after)
        if messages or wait_seconds <= 0:
            return messages
        # Nothing is awaited between the look above and the bell, so nothing is missed.
        with self._waits.enter(call_id, by.name) as bell, self._polling(by.name):
            await _ring(bell, min(wait_seconds, MAX_WAIT_SECONDS))
        return self._messages(call_id, by, after)

    def end(self, call_id: str) -> None:
        """The call has ended: tell those who would not hear of it from Asterisk, with `hangup`.

        Its messages can be read for ten minutes more.
        """
        box = self._boxes.find(call_id)
        if box is not None and box.ended_at is not None:
            return
        users = self._waits.users(call_id)
        if box is not None:
            users = (users - box.at_asterisk) | box.unaware()
        payload = {"reason": "ended", "status": None, "cause": None}
        for user in sorted(users):
            self._put(
                self._compose(call_id, ASTERISK, user, SignalKind.HANGUP, payload),
                size_of(payload),
            )
        self._boxes.end(call_id)

    def forget(self, call_id: str) -> None:
        """Drop the messages of a call that never was."""
        self._boxes.forget(call_id)

    def close(self) -> None:
        """End every wait, and wait no more."""
        self._waits.close()

    async def _find(self, call_id: str, by: Identity) -> Call:
        if not by.may_call:
            raise CallForbiddenError("Not authorized to use calls")
        call = await self._calls.get(call_id)
        if call is None:
            raise CallNotFoundError
        # Who may see every call is not therefore one of those who speak in it.
        if by.name == ASTERISK or by.name not in self._parties(call):
            raise CallForbiddenError("Only the parties of a call exchange signaling messages")
        return call

    def _parties(self, call: Call) -> frozenset[str]:
        users = map(self._directory.identities_of, call.participants)
        box = self._boxes.find(call.id)
        return frozenset({call.caller_id}).union(*users, box.at_asterisk if box else ())

    def _addressee(self, call: Call, by: Identity, to_user: str) -> str:
        if to_user == ASTERISK:
            return ASTERISK
        names = self._parties(call) & {to_user}
        if to_user in call.participants:
            users = self._directory.identities_of(to_user)
            names = users - {to_user} or users
        names -= {by.name}
        if len(names) != 1:
            raise UnknownAddresseeError("to_user must be asterisk or one other party of the call")
        return next(iter(names))

    async def _hand_over(self, call: Call, message: SignalMessage) -> None:
        if self.gateway is None:
            raise NoGatewayError
        await self.gateway.receive(call, message.from_user, message)
        if message.kind in {SignalKind.OFFER, SignalKind.ANSWER}:
            self.admit(call.id, message.from_user)  # now the gateway has a leg of his
        self._measures.signaling_messages.add(message.kind)

    def _messages(self, call_id: str, by: Identity, after: int) -> Sequence[SignalMessage]:
        box = self._boxes.find(call_id)
        return () if box is None else box.messages(by.name, after)

    def _compose(
        self, call_id: str, from_user: str, to_user: str, kind: SignalKind, payload: Any
    ) -> SignalMessage:
        self._last += 1
        return SignalMessage(
            id=str(uuid.uuid4()),
            call_id=call_id,
            from_user=from_user,
            to_user=to_user,
            kind=kind,
            payload=payload,
            sequence_number=self._last,
            sent_at=self._now(),
        )

    def _put(self, message: SignalMessage, size: int) -> None:
        self._boxes.add(message, size)
        self._measures.signaling_messages.add(message.kind)
        self._waits.wake(message.call_id, message.to_user)
        if self._push is not None:
            self._push.push(message.to_user, message)

    def _polling(self, user: str) -> AbstractContextManager[None]:
        return nullcontext() if self._attendance is None else self._attendance.polling(user)


async def _ring(bell: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
