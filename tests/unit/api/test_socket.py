"""What waits for one client."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from fastagi_server.api.socket import MAX_UNREADABLE, MAX_WAITING, MAX_WAITING_CHARACTERS, Socket
from fastagi_server.api.socket_frames import FrameError
from fastagi_server.presence.frames import Form, Frame
from fastagi_server.telemetry.measures import Measures


class Client:
    """The far end of `send`, which reads only while it `may_read`."""

    def __init__(self) -> None:
        self.messages: list[MutableMapping[str, Any]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.is_gone = False
        self.measures = Measures()
        self.socket = Socket(self.send, transport=None, measures=self.measures)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take one message."""
        await self.may_read.wait()
        if self.is_gone:
            raise OSError
        self.messages.append(message)

    async def turn(self) -> list[Any]:
        """Let the writer write; the frames and close codes that came."""
        for _ in range(5):
            await asyncio.sleep(0)
        messages, self.messages = self.messages, []
        return [
            json.loads(message["text"])
            if message["type"] == "websocket.send"
            else (message["code"], message["reason"])
            for message in messages
        ]


async def test_nothing_is_written_before_the_opening() -> None:
    """What a socket is told before it is open comes after it, in order."""
    client = Client()
    client.socket.tell(Frame("One"))
    client.socket.tell(Frame("Two"))
    assert await client.turn() == []
    client.socket.open()
    client.socket.tell(Frame("Three"))
    assert await client.turn() == [{"type": "One"}, {"type": "Two"}, {"type": "Three"}]


async def test_frames_in_the_client_s_form() -> None:
    """Frames are written in the form that the client speaks at that time."""
    client = Client()
    client.socket.open()
    client.socket.tell(Frame("Pong"))
    client.socket.form = Form.TAGGED
    client.socket.tell(Frame("Pong"))
    assert await client.turn() == [{"type": "Pong"}, "Pong"]


async def test_a_farewell_comes_after_what_waits() -> None:
    """A close in words is the last thing that is written, and there is only one."""
    client = Client()
    client.socket.open()
    client.socket.tell(Frame("One"))
    client.socket.close(4401, "token expired")
    client.socket.close(1008, "late")
    client.socket.tell(Frame("Late"))
    assert await client.turn() == [{"type": "One"}, (4401, "token expired")]


async def test_long_reasons_are_cut() -> None:
    """A close frame holds 123 bytes of reason, and whole characters."""
    client = Client()
    client.socket.open()
    client.socket.close(4401, "é" * 100)
    assert await client.turn() == [(4401, "é" * 61)]


async def test_frames_for_who_does_not_read_are_limited() -> None:
    """A client for whom too many frames wait is cut, and counted."""
    client = Client()
    client.may_read.clear()
    client.socket.open()
    for _ in range(MAX_WAITING + 1):
        client.socket.tell(Frame("One"))
    await client.turn()
    client.socket.tell(Frame("Late"))
    assert client.measures.drops.values == {("socket_slow",): 1.0}
    client.may_read.set()
    assert await client.turn() == [(1008, "you do not read")]


async def test_characters_for_who_does_not_read_are_limited() -> None:
    """A client for whom too much waits is cut as well, however few frames it is in."""
    client = Client()
    client.may_read.clear()
    client.socket.open()
    half = Frame("Half", {"text": "x" * (MAX_WAITING_CHARACTERS // 2)})
    client.socket.tell(half)
    assert client.measures.drops.values == {}
    client.socket.tell(half)
    assert client.measures.drops.values == {("socket_slow",): 1.0}
    await client.socket.finish()


async def test_what_was_read_waits_no_more() -> None:
    """A client that reads may be told any amount over time."""
    client = Client()
    client.socket.open()
    half = Frame("Half", {"text": "x" * (MAX_WAITING_CHARACTERS // 2)})
    for _ in range(5):
        client.socket.tell(half)
        assert len(await client.turn()) == 1
    assert client.measures.drops.values == {}


async def test_a_client_that_has_gone() -> None:
    """Writing to a client that has gone ends quietly."""
    client = Client()
    client.socket.open()
    client.is_gone = True
    client.socket.tell(Frame("One"))
    assert await client.turn() == []
    await client.socket.finish()


async def test_finishing_stops_the_writer() -> None:
    """A finished socket leaves nothing running, though its client never reads."""
    client = Client()
    client.may_read.clear()
    client.socket.open()
    client.socket.tell(Frame("One"))
    await client.socket.finish()
    client.socket.tell(Frame("Late"))
    client.may_read.set()
    assert await client.turn() == []
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "socket-writer"]


async def test_unreadable_frames_are_limited() -> None:
    """Each is answered in words and in the form it had; too many end the connection."""
    client = Client()
    client.socket.open()
    client.socket.complain(FrameError("No", Form.TAGGED))
    assert await client.turn() == [{"Error": {"message": "No"}}]
    for _ in range(MAX_UNREADABLE - 1):
        client.socket.complain(FrameError("No"))
    assert (await client.turn())[-1] == (1008, "too many frames that cannot be read")
