"""A SIP peer played by a test over real sockets, and the owner of the legs it talks to."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, Self

from fastagi_server.sip.agent import SipAgent
from fastagi_server.sip.events import Invitation, SipEvent
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.headers import Field, Headers
from fastagi_server.sip.legs import SipLeg
from fastagi_server.sip.messages import Message, Request, Response
from fastagi_server.sip.replies import reply
from fastagi_server.telemetry.measures import Measures

WAIT_SECONDS = 10.0
OFFER = "v=0 ours\r\n"
ANSWER = "v=0 theirs\r\n"
CONTACT: Field = ("Contact", "<sip:127.0.0.1:5060;transport=tcp>")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Talker:
    """One connection of the peer's: messages as they come, OPTIONS answered by themselves."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.options_status = 200
        self._reader = reader
        self._messages = MessageReader()
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1") -> Self:
        """Connect to an agent, from an address of loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                for message in self._messages.receive(data):
                    if isinstance(message, Request) and message.method == "OPTIONS":
                        self.send(reply(message, self.options_status, tag="peer"))
                    else:
                        self._queue.put_nowait(message)
        except ConnectionError:
            return
        finally:
            self._queue.put_nowait(None)

    def send(self, message: Message) -> None:
        """Send a message."""
        self.writer.write(message.serialize())

    def send_raw(self, data: bytes) -> None:
        """Send anything."""
        self.writer.write(data)

    async def next(self) -> Message | None:
        """The next message; None at the connection's end."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._queue.get()

    async def request(self, method: str) -> Request:
        """The next message, which is a request of this method."""
        message = await self.next()
        assert isinstance(message, Request), message
        assert message.method == method
        return message

    async def status(self) -> int:
        """The status of the next message, which is a response."""
        message = await self.next()
        assert isinstance(message, Response), message
        return message.status

    def answer(self, request: Request, status: int, *fields: Field, sdp: str = "") -> None:
        """Answer a request."""
        tag = "peer" if status > 100 else ""
        self.send(reply(request, status, CONTACT, *fields, tag=tag, body=sdp.encode()))

    def invite(self, port: int, call_id: str = "", *fields: Field, user: str = "alice") -> Request:
        """Call a user; the INVITE is returned."""
        head = [
            ("Via", f"SIP/2.0/TCP 127.0.0.1:5060;rport;branch=z9hG4bK{token_hex(6)}"),
            ("From", '"Bob" <sip:1001@127.0.0.1>;tag=peer'),
            ("To", f"<sip:{user}@127.0.0.1>"),
            ("Call-ID", call_id or token_hex(6)),
            ("CSeq", "100 INVITE"),
            CONTACT,
            ("Content-Type", "application/sdp"),
            *fields,
        ]
        uri = f"sip:{user}@127.0.0.1:{port};transport=tcp"
        invite = Request("INVITE", uri, Headers(head), ANSWER.encode())
        self.send(invite)
        return invite

    def follow(self, invite: Request, response: Response, method: str, number: int) -> None:
        """Send a request within the dialog of a call of ours."""
        head = [
            ("Via", f"SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK{token_hex(6)}"),
            ("From", invite.headers.get("From") or ""),
            ("To", response.headers.get("To") or ""),
            ("Call-ID", invite.headers.get("Call-ID") or ""),
            ("CSeq", f"{number} {method}"),
        ]
        self.send(Request(method, invite.uri, Headers(head)))

    async def close(self) -> None:
        """Close the connection."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.writer.transport.abort()


class Peer:
    """What an agent takes for Asterisk: it listens, and hands out each connection."""

    def __init__(self) -> None:
        self.port = free_port()
        self.options_status = 200
        self._talkers: asyncio.Queue[Talker] = asyncio.Queue()
        self._all: list[Talker] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talker = Talker(reader, writer)
        talker.options_status = self.options_status
        self._all.append(talker)
        self._talkers.put_nowait(talker)

    async def talker(self) -> Talker:
        """The next connection that was made to us."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._talkers.get()

    async def close(self) -> None:
        """Listen no more, and close every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for talker in self._all:
            await talker.close()
        self._all.clear()


class Owner:
    """Has legs, remembers what it was told, and can wait for something to hold."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.told: list[SipEvent] = []
        self.invited: list[tuple[SipLeg, Invitation]] = []

    def hear(self, _leg: SipLeg, event: SipEvent) -> None:
        """Take an event."""
        self.told.append(event)

    def be_invited(self, leg: SipLeg, invitation: Invitation) -> None:
        """Take a call, and ring."""
        leg.on_event = self.hear
        self.invited.append((leg, invitation))
        leg.ring()

    def call(self, agent: SipAgent, number: str = "1001") -> SipLeg:
        """Call a number."""
        return agent.invite(number=number, user="alice", sdp=OFFER, on_event=self.hear)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)

    async def drops(self, what: str, count: float = 1.0) -> None:
        """Wait until so many of something were dropped."""
        await self.until(lambda: self.measures.drops.values.get((what,)) == count)


@asynccontextmanager
async def agent_of(
    owner: Owner, peer: Peer, **options: Any
) -> AsyncGenerator[tuple[SipAgent, int]]:
    """An agent whose Asterisk is `peer`, and the port it listens on."""
    port = free_port()
    usual: dict[str, Any] = {"asterisk": ("127.0.0.1", peer.port), "on_invite": owner.be_invited}
    usual["measures"] = owner.measures
    agent = SipAgent(listen=("127.0.0.1", port), **{**usual, **options})
    running = asyncio.create_task(agent.run())
    try:
        await owner.until(lambda: agent.state != "connecting" or running.done())
        yield agent, port
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
