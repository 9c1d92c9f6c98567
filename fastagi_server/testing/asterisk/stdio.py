"""How Asterisk reads command lines: a C stdio buffer above a socket.

Asterisk waits for the *socket* to become readable and then reads one line with stdio, which takes
up to 4096 bytes at once. Lines left in stdio are not looked for until the socket becomes readable
again, so two commands in one segment make the second wait. End of file keeps the socket readable
for ever, which drains everything. A line that is not complete, or that holds a NUL, keeps Asterisk
in a busy loop until a line feed comes. All of it measured on 22.10.
"""

from dataclasses import dataclass

STDIO_BYTES = 4096
"""What one refill takes from the socket: the block size that the kernel reports for it."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One line as Asterisk's loop gets it, without its line feed; empty at end of file."""

    data: bytes
    at_end: bool = False


class StdioReader:
    """Hold what has arrived, and hand it out when Asterisk would see it.

    `limit` is Asterisk's line limit in bytes, line feed included; the excess of a longer line is
    the next line. `receive` and `receive_end` are the kernel's side, `next_line` is Asterisk's.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._socket = bytearray()
        self._stdio = bytearray()
        self._partial = bytearray()
        self.ended = False
        self.overran = False

    def receive(self, data: bytes) -> None:
        """Take bytes that have arrived at the socket."""
        self._socket += data

    def receive_end(self) -> None:
        """Take the end of file, or a reset, which Asterisk cannot tell apart from it."""
        self.ended = True

    @property
    def readable(self) -> bool:
        """Whether poll() would call the socket readable; what stdio holds does not count."""
        return bool(self._socket) or self.ended

    @property
    def stuck(self) -> bool:
        """Whether a whole line lies in stdio while nothing makes the socket readable."""
        return b"\n" in self._stdio and not self.readable

    @property
    def held(self) -> int:
        """How many bytes have arrived and were not read yet."""
        return len(self._partial) + len(self._stdio) + len(self._socket)

    def next_line(self) -> CommandLine | None:
        """Read one line; `None` when Asterisk would spin for lack of a line feed."""
        while True:
            if not self._stdio and not self._refill():
                return self._take(at_end=True) if self.ended else None
            self._copy_to_partial()
            if self._partial.endswith(b"\n"):
                return self._take()
            if len(self._partial) >= self._limit:
                self.overran = True
                return self._take()

    def _refill(self) -> bool:
        self._stdio += self._socket[:STDIO_BYTES]
        del self._socket[:STDIO_BYTES]
        return bool(self._stdio)

    def _copy_to_partial(self) -> None:
        room = self._limit - len(self._partial)
        end = self._stdio.find(b"\n", 0, room) + 1 or room
        # The line is a C string to Asterisk: what follows a NUL, line feed included, is not seen.
        self._partial += self._stdio[:end].split(b"\0", 1)[0]
        del self._stdio[:end]

    def _take(self, *, at_end: bool = False) -> CommandLine:
        data = bytes(self._partial).removesuffix(b"\n")
        self._partial.clear()
        return CommandLine(data, at_end=at_end)
