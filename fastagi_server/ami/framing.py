"""Cut the bytes of a manager connection into messages, with limits on what is kept.

    Asterisk Call Manager/11.0.0<CR><LF>            the greeting, once
    Response: Success<CR><LF>ActionID: 1<CR><LF><CR><LF>
    Event: FullyBooted<CR><LF>...<CR><LF><CR><LF>

Messages are cut out as bytes and decoded whole, so that no character is ever cut in two.
"""

from fastagi_server.ami.errors import AmiMessageError

GREETING = b"Asterisk Call Manager/"
MAX_GREETING_BYTES = 256
MAX_MESSAGE_BYTES = 262_144
"""The longest message known, an event with two channels and long variables, has a few thousand."""

_END = b"\r\n\r\n"
_LINE_END = b"\r\n"


class MessageSplitter:
    """Takes bytes as they come and gives whole messages, without the empty line at their end.

    `version` is the manager protocol's, once `is_greeted` says that the greeting was read.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.version = ""
        self.is_greeted = False
        self._max_message_bytes = max_message_bytes
        self._rest = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order.

        Raises `AmiMessageError` when the peer is no manager interface or a message is too long; the
        connection is then of no more use.
        """
        self._rest += data
        if not self.is_greeted and not self._greet():
            return []
        messages: list[bytes] = []
        if self._rest.find(_END, self._searched) >= 0:
            *messages, rest = bytes(self._rest).split(_END)
            self._rest = bytearray(rest)
        self._searched = max(len(self._rest) - len(_END) + 1, 0)
        if max(map(len, (*messages, self._rest))) > self._max_message_bytes:
            raise AmiMessageError(f"a message has more than {self._max_message_bytes} bytes")
        return messages

    def _greet(self) -> bool:
        """Read the greeting off the beginning, once it is there."""
        line, end, after = self._rest.partition(_LINE_END)
        expected = GREETING if end else GREETING[: len(line)]
        if len(line) > MAX_GREETING_BYTES or not line.startswith(expected):
            raise AmiMessageError("the peer does not speak as a manager interface does")
        if not end:
            return False
        self.version = line[len(GREETING) :].decode("ascii", "replace")
        self.is_greeted = True
        self._rest = after
        return True
