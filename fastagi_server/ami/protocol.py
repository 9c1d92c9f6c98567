"""panoramisk for one connection, read by us.

panoramisk sends actions and joins their answers. What it does beyond that is left out here: it
decodes each piece of a stream by itself, works on events while it reads, pings without looking for
the answer, keeps unanswered actions and sends them again, and connects anew whatever happens.
Importing it takes memory: `link` does so only once there is an Asterisk to connect to.
"""

import asyncio
from collections.abc import Callable, Mapping

from panoramisk import Manager, Message
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

from fastagi_server.ami.decoding import DECODERS
from fastagi_server.ami.errors import AmiError, AmiMessageError, AmiUnreachableError
from fastagi_server.ami.framing import MessageSplitter
from fastagi_server.ami.reading import event_name

Receive = Callable[[list[bytes], int], None]
"""Takes events of interest, as messages, in order, and how many came without a class here. It must
not work."""

_ACTION_ID = b"\r\nActionID: "
_BOOTED = b"FullyBooted"


class OneManager(Manager):
    """A manager that connects once: another connection is another one of these."""

    def connection_made(self, f: "asyncio.Task[tuple[asyncio.Transport, AMIProtocol]]") -> None:
        """Take the connection; a failure is heard by who awaits `connect`."""
        if not f.cancelled() and f.exception() is None:
            super().connection_made(f)

    def connection_lost(self, exc: object) -> None:
        """Leave it at that."""

    def ping(self) -> None:
        """Leave pings to who looks for the answer."""


class Protocol(AMIProtocol):
    """The bytes of one connection.

    `lost` is done when the connection is, with the reason. `greeted` is set once the peer has shown
    to be a manager interface, and `booted` once Asterisk said that it is complete.
    """

    def __init__(self, receive: Receive) -> None:
        self.lost: asyncio.Future[AmiError] = asyncio.get_running_loop().create_future()
        self.greeted = asyncio.Event()
        self.booted = asyncio.Event()
        self._others = 0
        self._receive = receive
        self._splitter = MessageSplitter()

    def data_received(self, data: bytes) -> None:
        """Hand on what is of interest; what cannot be read ends the connection."""
        try:
            messages = self._splitter.feed(data)
            if self._splitter.is_greeted:
                self.greeted.set()
            self._others = 0
            wanted = [message for message in messages if self._is_event(message)]
            self._receive(wanted, self._others)
        except AmiMessageError as error:
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why, and forget all actions: none of them is ever sent again."""
        self.closed = True
        self.responses.clear()
        self._end(AmiUnreachableError(f"the connection was lost: {exc or 'closed by Asterisk'}"))

    def close(self) -> None:
        """Close at once, whatever is unsent."""
        self.closed = True
        self.responses.clear()
        self._end(AmiUnreachableError("the connection was closed"))

    def _end(self, reason: AmiError) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        self.transport.abort()

    def _is_event(self, message: bytes) -> bool:
        """Whether a message is an event of interest; answers are dealt with on the way."""
        name = event_name(message)
        if name in DECODERS:
            if name == _BOOTED:
                self.booted.set()
            return True
        if not name or _ACTION_ID in message:
            self._answer(message)
        else:
            self._others += 1
        return False

    def _answer(self, message: bytes) -> None:
        """Give panoramisk a response, or an item of a list."""
        try:
            read = Message.from_line(message.decode("utf-8", "replace"))
            if read is not None:
                self.handle_message(read)
        except Exception as error:
            # panoramisk trusts what it reads: a header twice, and a list is taken for a text
            raise AmiMessageError(f"an answer cannot be read: {error!r}") from error


class ListAction(Action):
    """An action that is answered by a list, of at most `limit` messages."""

    def __init__(self, fields: Mapping[str, str], limit: int) -> None:
        super().__init__(fields)
        self._limit = limit

    def add_message(self, message: Message) -> bool | None:
        """Take one; true once the list is complete or too long."""
        if len(self.responses) >= self._limit:
            if not self.future.done():
                self.future.set_exception(AmiMessageError(f"more than {self._limit} items"))
            return True
        return super().add_message(message)
