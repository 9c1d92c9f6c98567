"""Server-sent events: how the stream is written, and how a client reads it.

    retry: 2000
    id: 3fa9c0d2e1b4-16

    id: 3fa9c0d2e1b4-17
    data: {"id": "3fa9c0d2e1b4-17", "type": "call.connected", ...}

    : still there
    id: 3fa9c0d2e1b4-21

There is no `event:` line, so that a browser hands all types to one listener. An `id:` without data
is no event, but the cursor behind events that the client did not want.
"""

from collections.abc import Sequence

from fastagi_server.events.hub import Streamed

RETRY_MS = 2000

MAX_LINE = 1024 * 1024


class StreamError(Exception):
    """What came is no stream of events."""


def opening(cursor: str) -> bytes:
    """What a stream begins with: how soon to come again, and from where."""
    return f"retry: {RETRY_MS}\nid: {cursor}\n\n".encode()


def frame(streamed: Streamed) -> bytes:
    """One event."""
    return b"id: %b\ndata: %b\n\n" % (streamed.cursor.encode(), streamed.document)


def frames(events: Sequence[Streamed]) -> bytes:
    """Several events."""
    return b"".join(map(frame, events))


def heartbeat(cursor: str) -> bytes:
    """Says that the stream is alive, and where it is."""
    return f": still there\nid: {cursor}\n\n".encode()


class FrameReader:
    """Reads a stream; `cursor` is what the client goes on from.

    Lines end at line feeds only: JSON may hold other characters at which Python would end one.
    """

    def __init__(self, cursor: str = "") -> None:
        self.cursor = cursor
        self._rest = bytearray()
        self._data: list[str] = []
        self._size = 0
        self._id = cursor

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as they come; the JSON of each event that they complete.

        Raises StreamError for a line or an event of more than 1 MiB.
        """
        searched = len(self._rest)
        self._rest += data
        if self._rest.find(b"\n", searched) < 0:
            if len(self._rest) > MAX_LINE:
                raise StreamError("a line of the stream is too long")
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        found = (
            self.receive(line.removesuffix(b"\r").decode("utf-8", "replace")) for line in lines
        )
        return [event for event in found if event is not None]

    def receive(self, line: str) -> str | None:
        """Take a line without its end; the event that it completes. Raises StreamError too."""
        self._size += len(line)
        if self._size > MAX_LINE:
            raise StreamError("an event of the stream is too long")
        if not line:
            self._size = 0
            self.cursor = self._id
            data, self._data = "\n".join(self._data), []
            return data or None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        return None
