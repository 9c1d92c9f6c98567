"""The mailboxes of calls: the last messages of each, within limits of number and of memory.

A message is never consumed: it is there until newer ones push it out or its call is forgotten.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from fastagi_server.signaling.models import ASTERISK, SignalKind, SignalMessage
from fastagi_server.telemetry.measures import Measures

MAX_MESSAGES = 100
"""Of one call; the published number."""

MAX_MAILBOX_BYTES = 512 * 1024
MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Of the payloads in one mailbox and in all of them, counting `MESSAGE_BYTES` for each message."""

MESSAGE_BYTES = 1024
"""What a message takes besides its payload, roughly."""

MAX_MAILBOXES = 10_000
KEEP_SECONDS = 600.0
"""How long the messages of a call that has ended can still be read."""


class Mailbox:
    """The messages of one call, for all of its users.

    `at_asterisk` are the users who speak with Asterisk in this call, and hear from it of its end.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[SignalMessage, int]] = deque()
        self.size = 0
        self.at_asterisk: set[str] = set()
        self.ended_at: float | None = None

    def add(self, message: SignalMessage, payload_bytes: int) -> int:
        """Put a message in; returns how many old ones fell out."""
        self._entries.append((message, payload_bytes + MESSAGE_BYTES))
        self.size += payload_bytes + MESSAGE_BYTES
        dropped = 0
        while len(self._entries) > MAX_MESSAGES or self.size > MAX_MAILBOX_BYTES:
            self.size -= self._entries.popleft()[1]
            dropped += 1
        return dropped

    def messages(self, user: str, after: int) -> Sequence[SignalMessage]:
        """The messages for a user behind a sequence number, oldest first."""
        return [
            message
            for message, _ in self._entries
            if message.to_user == user and message.sequence_number > after
        ]

    def unaware(self) -> frozenset[str]:
        """The users who take part here and would not hear elsewhere that the call has ended."""
        users = {name for each, _ in self._entries for name in (each.from_user, each.to_user)}
        told = {each.to_user for each, _ in self._entries if each.kind is SignalKind.HANGUP}
        return frozenset(users - told - self.at_asterisk - {ASTERISK})


class Mailboxes:
    """The mailboxes of one process.

    Where there is no room for another message, the mailboxes of ended calls go first, and then
    those that nothing was put into for longest. What falls out is counted in `drops`.
    """

    def __init__(
        self,
        *,
        measures: Measures,
        max_mailboxes: int = MAX_MAILBOXES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measures = measures
        self._max_mailboxes = max_mailboxes
        self._max_total_bytes = max_total_bytes
        self._clock = clock
        self._live: OrderedDict[str, Mailbox] = OrderedDict()
        self._ended: OrderedDict[str, Mailbox] = OrderedDict()
        self._size = 0

    def find(self, call_id: str) -> Mailbox | None:
        """The mailbox of a call, if it has one."""
        self._expire()
        return self._live.get(call_id) or self._ended.get(call_id)

    def open(self, call_id: str) -> Mailbox:
        """The mailbox of a call, made if there is none."""
        box = self.find(call_id)
        if box is None:
            box = self._live[call_id] = Mailbox()
            self._make_room(box)
        return box

    def add(self, message: SignalMessage, payload_bytes: int) -> None:
        """Put a message into the mailbox of its call."""
        box = self.open(message.call_id)
        if box.ended_at is None:
            self._live.move_to_end(message.call_id)
        before = box.size
        dropped = box.add(message, payload_bytes)
        self._size += box.size - before
        if dropped:
            self._measures.drops.add("signaling_message", amount=dropped)
        self._make_room(box)

    def end(self, call_id: str) -> None:
        """The call has ended: its messages are kept for `KEEP_SECONDS` more."""
        box = self._live.pop(call_id, None)
        if box is not None:
            box.ended_at = self._clock()
            self._ended[call_id] = box

    def forget(self, call_id: str) -> None:
        """Drop what is kept of a call, if anything is."""
        box = self._live.pop(call_id, None) or self._ended.pop(call_id, None)
        if box is not None:
            self._size -= box.size

    def _expire(self) -> None:
        horizon = self._clock() - KEEP_SECONDS
        while self._ended:
            call_id, box = next(iter(self._ended.items()))
            if box.ended_at is None or box.ended_at > horizon:
                return
            self.forget(call_id)

    def _make_room(self, kept: Mailbox) -> None:
        while (
            len(self._live) + len(self._ended) > self._max_mailboxes
            or self._size > self._max_total_bytes
        ):
            call_id, box = next(iter((self._ended or self._live).items()))
            if box is kept:
                return  # a limit below that of one mailbox is not worth more code
            self._measures.drops.add("signaling_mailbox")
            self.forget(call_id)
