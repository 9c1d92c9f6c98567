"""The AGI core at the other end of a real Asterisk's connection, one blocking step at a time."""

import socket
from base64 import b64decode
from types import TracebackType
from typing import Any, Self, TypeVar

from fastagi_server.agi.command import Command
from fastagi_server.agi.commands import get_full_variable
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.events import (
    Event,
    HangupReceived,
    PeerBroke,
    ReplyReceived,
    RequestReceived,
    StreamEnded,
    SyncReceived,
)
from fastagi_server.agi.request import AgiRequest

T = TypeVar("T")
DEADLINE_SECONDS = 10


class Conversation:
    """One AGI session that a test conducts."""

    def __init__(self, connected: socket.socket) -> None:
        self.connection = AgiConnection()
        self.hung_up = False
        self._socket = connected
        self._socket.settimeout(DEADLINE_SECONDS)
        self._events: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def receive(self) -> Event:
        """The next event but a hang-up, which is remembered; raises what the peer broke."""
        while True:
            while not self._events:
                data = self._socket.recv(65536)
                told = self.connection.receive_data(data) if data else self.connection.receive_eof()
                self._events.extend(told)
            event = self._events.pop(0)
            if isinstance(event, PeerBroke):
                raise event.error
            if not isinstance(event, HangupReceived):
                return event
            self.hung_up = True

    def receive_request(self) -> AgiRequest:
        """The environment."""
        event = self.receive()
        assert isinstance(event, RequestReceived)
        return event.request

    def say(self, line: bytes) -> None:
        """Send bytes that the connection gave."""
        self._socket.sendall(line)

    def execute(self, command: Command[T]) -> T:
        """The value of one command."""
        self.say(self.connection.send(command))
        event = self.receive()
        assert isinstance(event, ReplyReceived)
        return command.read(event.reply)

    def read(self, name: str) -> bytes:
        """The bytes of a variable, read as base64, which no value can disturb."""
        return b64decode(self.execute(get_full_variable(f"${{BASE64_ENCODE(${{{name}}})}}")))

    def receive_sync(self) -> None:
        """Wait for the marker that is out."""
        assert isinstance(self.receive(), SyncReceived)

    def finish(self, *commands: Command[Any], failure: str = "") -> None:
        """Send the last lines, half-close and read to the end."""
        self.say(self.connection.finish(commands, failure))
        self._socket.shutdown(socket.SHUT_WR)
        assert isinstance(self.receive(), StreamEnded)


class Listener:
    """A loopback port on which Asterisk finds the test."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(DEADLINE_SECONDS)
        self.port: int = self._socket.getsockname()[1]

    def accept(self) -> Conversation:
        """The next session that Asterisk begins."""
        return Conversation(self._socket.accept()[0])

    def close(self) -> None:
        """Free the port."""
        self._socket.close()
