"""A manager interface that is none, is broken or means harm: the link goes down in words."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
from ami_owner import Owner, linked, up

from fastagi_server.ami.errors import AmiUnreachableError
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ami import answers
from fastagi_server.testing.ami.fake import FakeAmi

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncGenerator[int]:
    """A server of anything; its port."""
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await serve(reader, writer)

    def done(task: asyncio.Task[None]) -> None:
        serving.pop(task).transport.abort()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(reader, writer))
        serving[task] = writer
        task.add_done_callback(done)

    listening = await asyncio.start_server(accepted, "127.0.0.1", 0)
    try:
        yield cast("tuple[str, int]", listening.sockets[0].getsockname())[1]
    finally:
        listening.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\r\n\r\n\r\n\r\n",
        b"Asterisk Call Manager/" + b"1" * 10_000,
        b"\0" * 10_000_000,
    ],
)
async def test_another_protocol_is_recognised(greeting: bytes) -> None:
    """By its first bytes."""
    owner = Owner()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        await asyncio.get_running_loop().create_future()

    async with server(serve) as port, linked(port, owner) as link:
        await owner.until(lambda: "does not speak as a manager interface" in link.last_error)
    assert owner.told == []


async def test_who_never_answers_the_login_is_given_up() -> None:
    """Each attempt has an end."""
    owner = Owner()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        await reader.read(-1)

    async with server(serve) as port, linked(port, owner, action_seconds=0.05) as link:
        await owner.until(lambda: link.last_error == "Login: no answer in 0.05 s")


async def test_who_does_not_greet_is_not_told_the_secret() -> None:
    """Nor anything else: the connection is given up."""
    owner = Owner()
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(-1))

    async with server(serve) as port, linked(port, owner, action_seconds=0.05) as link:
        await owner.until(lambda: link.last_error == "nobody greets as a manager interface does")
        await owner.until(lambda: len(received) > 1)
    assert set(received) == {b""}


@pytest.mark.parametrize(
    "harm",
    [
        b"x" * 10_000_000,
        b"Event: Newchannel\r\nChannel: " + b"x" * 10_000_000 + b"\r\n\r\n",
        b"Event: Newchannel\r\n" + b"a: b\r\n" * 1_000_000,
        b"\r\n".join([b"Event: Newchannel"] + [b"a: b"] * 1_000_000) + b"\r\n\r\n",
    ],
    ids=["a 10 MB line", "a 10 MB header", "headers without an end", "a million headers"],
)
async def test_a_message_without_measure_ends_the_connection(harm: bytes) -> None:
    """In words; the next connection is as good as ever."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        asterisk.send(harm)
        await owner.heard("lost: a message has more than 262144 bytes")
        await owner.heard("connected", 2)
        asterisk.exchange.call("1002", "1001")
        await owner.heard("Newchannel")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"Event: \r\n\r\n",
        b"Event\r\n\r\n",
        b"Event: Newchannel\r\n\r\n",
        b"Event: Hangup\r\nUniqueid: \r\nCause: -1\r\n\r\n",
        b"Event: BridgeEnter\r\nUniqueid: 1.1\r\n\r\n",
        b"Event: ContactStatus\r\n: \r\n \r\n\r\n",
        b"Response: Success\r\nActionID: nobody's\r\n\r\n",
        b"Response: Follows\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b": \r\n\r\n",
    ],
)
async def test_garbage_between_messages_harms_nothing(garbage: bytes) -> None:
    """It is skipped, or counted when it should have been an event; the next event comes."""
    owner, measures = Owner(), Measures()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner, measures=measures) as link:
        await up(link, owner)
        asterisk.send(garbage)
        asterisk.exchange.call("1002", "1001")
        await owner.heard("Newchannel")
    assert owner.told[:3] == ["connected", "FullyBooted", "Newchannel"]
    if b"Newchannel" in garbage:
        assert measures.drops.values == {("ami_event_unreadable",): 1}


async def test_an_answer_that_is_none_ends_the_connection() -> None:
    """What is too much for panoramisk is too much for the connection, and for nothing else."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        asterisk.silent.add("coreshowchannels")
        waiting = asyncio.create_task(link.channels())
        await owner.until(lambda: asterisk.actions[-1]["action"] == "CoreShowChannels")
        action_id = asterisk.actions[-1]["actionid"]
        asterisk.send(answers.success(action_id, {"Message": "Originate successfully queued"}))
        with pytest.raises(AmiUnreachableError, match="an answer cannot be read: KeyError"):
            await waiting
        await owner.heard("connected", 2)


async def test_half_a_message_and_a_cut_are_forgotten() -> None:
    """What the next connection brings is not put behind it."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        asterisk.send(b"Event: Hangup\r\nUniqueid: 1.1\r\nCause: 1")
        await asyncio.sleep(0)
        asterisk.cut()
        await owner.heard("connected", 2)
        asterisk.exchange.call("1002", "1001")
        await owner.heard("Newchannel")
    assert "Hangup" not in owner.told
