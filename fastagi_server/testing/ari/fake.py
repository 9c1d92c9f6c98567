"""A fake Asterisk with ARI.

    async with FakeAri() as asterisk:
        asterisk.phones["PJSIP/1001"] = PhoneState.ANSWERS
        ...                                     # the code under test, told `asterisk.url`
        asterisk.phone.hangs_up("sge-42-0")
        assert asterisk.channels == {}

`Local/...` can always be called. Requests are answered in the order of their coming; events go out
before the answer to the request that made them, which is the harder order of the two.
"""

import asyncio
import base64
import hmac
import json
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import count
from types import TracebackType
from typing import Any, Self

from fastagi_server.testing.ari.bridge_operations import BridgeOperations
from fastagi_server.testing.ari.channel_operations import ChannelOperations
from fastagi_server.testing.ari.http import Answer, RefusalError, Request, read_request
from fastagi_server.testing.ari.objects import FakeBridge, FakeChannel
from fastagi_server.testing.ari.phones import Phones
from fastagi_server.testing.ari.sockets import EventSocket
from fastagi_server.testing.ari.system_operations import SystemOperations
from fastagi_server.testing.ari.world import PhoneState, World

USERNAME = "sky-genesis"
PASSWORD = "fake-ari-password"  # noqa: S105 - of a double on loopback
PHONES = ("PJSIP/1001", "PJSIP/1002", "PJSIP/1003")
LOSE_ANSWER = 0


class FakeAri:
    """An Asterisk on a free port of loopback, without a call; `phones` are its endpoints.

    `requests` are those received, as `POST channels/create`. `phone` makes phones act.
    """

    def __init__(self, phones: Iterable[str] = PHONES) -> None:
        self.username = USERNAME
        self.password = PASSWORD
        self.requests: list[Request] = []
        self._names = tuple(phones)
        self._faults: deque[int] = deque()
        self._answering = asyncio.Event()
        self._answering.set()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._port = 0
        self._numbers = count(1)
        self._begin()

    def _begin(self) -> None:
        """Start as Asterisk does: without a channel, a bridge or an application."""
        self.world = World(self._names)
        self.phone = Phones(self.world)
        self._channel_operations = ChannelOperations(self.world, self.phone)
        self._bridge_operations = BridgeOperations(self.world)
        self._system_operations = SystemOperations(self.world)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and end every connection."""
        await self.stop()

    @property
    def url(self) -> str:
        """The address of ARI."""
        return f"http://127.0.0.1:{self._port}/ari"

    @property
    def phones(self) -> dict[str, PhoneState]:
        """What the phone of each endpoint does."""
        return self.world.phones

    @property
    def channels(self) -> dict[str, FakeChannel]:
        """Live channels by id."""
        return self.world.channels

    @property
    def bridges(self) -> dict[str, FakeBridge]:
        """Bridges by id."""
        return self.world.bridges

    # -- calls from outside --

    def calls_in(
        self,
        app: str,
        *,
        args: str = "",
        endpoint: str = "",
        caller_number: str = "1002",
        extension: str = "1001",
        channel_id: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """A phone calls, and the dialplan runs `Stasis(app,args)`; the id of its channel.

        Its endpoint is PJSIP/ and its number, unless one is given.
        Empty when nobody serves `app`: then the dialplan goes on, with STASISSTATUS=FAILED.
        """
        channel = FakeChannel(
            channel_id or f"1710000000.{next(self._numbers)}",
            endpoint or f"PJSIP/{caller_number}",
            state="Ring",
            caller_number=caller_number,
            exten=extension,
            context="sky-genesis-voip",
            variables=dict(variables or {}),
        )
        if app not in self.world.sockets:
            return ""
        self.world.add(channel)
        self.world.enter(channel, app, args)
        return channel.id

    # -- faults --

    def hold_entries(self) -> None:
        """Let channels that are made wait before their `StasisStart`, as a busy Asterisk does."""
        self.world.held_entries = []

    def release_entries(self) -> None:
        """Let them enter, and others at once from now on."""
        self.world.release_entries()

    def refuse_next(self, count_: int = 1, *, status: int = 500) -> None:
        """Answer the next requests with `status`, without any effect."""
        self._faults.extend([status] * count_)

    def lose_next_answer(self) -> None:
        """Do what the next request asks and close the connection without an answer."""
        self._faults.append(LOSE_ANSWER)

    def stall(self) -> None:
        """Leave requests and pings unanswered, and lose events, until `resume`."""
        self._answering.clear()
        for socket in self.world.sockets.values():
            socket.silent = True

    def resume(self) -> None:
        """Answer what has waited and whatever comes."""
        self._answering.set()
        for socket in self.world.sockets.values():
            socket.silent = False

    def cut_sockets(self) -> None:
        """Lose every event socket, as a network does."""
        for socket in set(self.world.sockets.values()):
            socket.cut()
            self.world.unregister(socket)

    def send_raw(self, application: str, text: str) -> None:
        """Send one text frame, whatever is in it, to the socket of an application."""
        self.world.sockets[application].send_text(text)

    def replay(self, application: str, events: Iterable[Mapping[str, Any]]) -> None:
        """Send events as recorded elsewhere."""
        for event in events:
            self.send_raw(application, json.dumps(event))

    async def stop(self) -> None:
        """Be gone: nothing listens, every connection is cut."""
        if self._server is not None:
            self._server.close()
        for channel in self.world.channels.values():
            if channel.timer is not None:
                channel.timer.cancel()
        self._answering.set()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections)
        self.world.sockets.clear()

    async def restart(self) -> None:
        """Crash and come back at the same address: no call, another startup time."""
        await self.stop()
        self._begin()
        await self.__aenter__()

    # -- connections --

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections[task] = writer
        try:
            while await self._one_request(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return
        finally:
            del self._connections[task]
            writer.close()

    async def _one_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve one request; False when the connection ends with it."""
        request = await read_request(reader)
        self.requests.append(request)
        await self._answering.wait()
        if request.path == ("events",):
            await self._event_socket(request, reader, writer)
            return False
        answer = self._respond(request)
        if answer is None:
            return False
        writer.write(answer.encode())
        await writer.drain()
        return True

    def _respond(self, request: Request) -> Answer | None:
        """Do what is asked; None is an answer that is lost."""
        if not self._is_known(request):
            return Answer(401, {"message": "Authentication required"})
        fault = self._faults.popleft() if self._faults else None
        if fault:
            return Answer(fault, {"message": "Injected fault"})
        try:
            answer = self._operate(request)
        except RefusalError as error:
            answer = error.answer
        return None if fault == LOSE_ANSWER else answer

    def _operate(self, request: Request) -> Answer:
        match request.path[0]:
            case "channels":
                return self._channel_operations.respond(request)
            case "bridges":
                return self._bridge_operations.respond(request)
            case _:
                return self._system_operations.respond(request)

    async def _event_socket(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        applications = tuple(request.query.get("app", "").split(","))
        everything = request.query.get("subscribeAll") == "true"
        socket = EventSocket(reader, writer, applications, subscribe_all=everything)
        if not self._is_known(request):
            writer.write(Answer(401, {"message": "Authentication required"}).encode())
            return
        if not socket.accept(request.head):
            return
        self.world.register(socket)
        try:
            await socket.serve()
        finally:
            self.world.unregister(socket)

    def _is_known(self, request: Request) -> bool:
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        shown = request.headers.get("authorization", "")
        return hmac.compare_digest(shown.encode(), f"Basic {login}".encode())
