"""SIP messages out of a stream of bytes, however TCP cut it (RFC 3261, 18.3)."""

from collections.abc import Iterator

from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.headers import Field
from fastagi_server.sip.messages import HEAD_END, Message, build, parse_head

MAX_HEAD = 32 * 1024
"""Bytes of a start line and its headers."""

MAX_BODY = 256 * 1024
"""Bytes of a body; an offer with audio, video and a shared screen has some twenty thousand."""


class MessageReader:
    """One direction of one connection.

    Empty lines between messages are keep-alives (RFC 5626, 3.5.1) and dropped. Holds at most one
    head, one body and one segment. After an error it stays broken: where the next message
    would begin cannot be known.
    """

    def __init__(self, *, max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._buffer = bytearray()
        self._scanned = 0
        self._head: tuple[str, list[Field], int] | None = None
        self._error: SipSyntaxError | None = None

    def receive(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole with these bytes, in order; read the iterator to its end.

        The iterator raises `SipSyntaxError` behind the last good message. The connection is then
        to be closed: all further calls raise the same.
        """
        if self._error is None:
            self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[Message]:
        if self._error is not None:
            raise self._error
        try:
            while (message := self._next()) is not None:
                yield message
        except SipSyntaxError as error:
            self._error = error
            self._buffer.clear()
            raise

    def _next(self) -> Message | None:
        if self._head is None:
            self._head = self._next_head()
        if self._head is None:
            return None
        start, fields, length = self._head
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        return build(start, fields, body)

    def _next_head(self) -> tuple[str, list[Field], int] | None:
        self._drop_empty_lines()
        end = self._buffer.find(HEAD_END, max(0, self._scanned - len(HEAD_END) + 1))
        shortest = end if end >= 0 else len(self._buffer) - len(HEAD_END) + 1
        if shortest > self._max_head:
            raise SipSyntaxError(f"a head of more than {self._max_head} bytes")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        head = parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + len(HEAD_END)]
        self._scanned = 0
        if head[2] > self._max_body:
            raise SipSyntaxError(f"a body of more than {self._max_body} bytes")
        return head

    def _drop_empty_lines(self) -> None:
        count = 0
        while self._buffer.startswith(b"\r\n", count):
            count += 2
        if count:
            del self._buffer[:count]
            self._scanned = 0
