"""The socket that Asterisk opens to us: who is let in, and who counts."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from ari_owner import Owner
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from fastagi_server.ari.listener import AriListener
from fastagi_server.ari.requester import basic_credentials
from fastagi_server.telemetry.measures import Measures

ARI = (Subprotocol("ari"),)


@asynccontextmanager
async def listening(
    owner: Owner, *, measures: Measures | None = None, ping_seconds: float = 5.0
) -> AsyncGenerator[AriListener]:
    """A listener that runs for the time of the block."""
    listener = AriListener(
        host="127.0.0.1",
        port=0,
        username="asterisk",
        password="secret",
        on_event=owner.on_event,
        on_connected=owner.on_connected,
        on_lost=owner.on_lost,
        measures=measures or Measures(),
        ping_seconds=ping_seconds,
    )
    await listener.listen()
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def asterisk(
    listener: AriListener,
    *,
    password: str = "secret",
    subprotocols: tuple[Subprotocol, ...] = ARI,
) -> AsyncGenerator[ClientConnection]:
    """The socket that Asterisk opens."""
    async with connect(
        f"ws://127.0.0.1:{listener.port}/",
        additional_headers={"Authorization": basic_credentials("asterisk", password)},
        subprotocols=subprotocols,
        proxy=None,
    ) as socket:
        yield socket


def event(kind: str) -> str:
    """An event as Asterisk sends it."""
    return json.dumps(
        {"type": kind, "timestamp": "2026-11-23T00:00:18.500+0000", "application": "kept"}
    )


async def test_asterisk_comes_and_its_events_are_carried() -> None:
    """First the reconciliation, then the events."""
    owner, measures = Owner(), Measures()
    async with listening(owner, measures=measures) as listener:
        assert listener.state == "connecting"
        async with asterisk(listener) as socket:
            assert socket.subprotocol == "ari"
            await socket.send(event("StasisThing"))
            await owner.heard("UnknownEvent")
            assert listener.state == "up"
        await owner.until(lambda: listener.state == "lost")
        assert listener.last_error.startswith("the event socket")
    assert listener.state == "stopped"
    assert owner.told[:2] == ["connected", "UnknownEvent"]
    assert owner.told[2].startswith("lost: ")
    assert measures.ari_link_up.values == {("ari-outbound",): 0.0}


async def test_asterisk_comes_back() -> None:
    """Each time it is reconciled with."""
    owner = Owner()
    async with listening(owner) as listener:
        for times in (1, 2, 3):
            async with asterisk(listener):
                await owner.heard("connected", times)
                await owner.until(lambda: listener.state == "up")
            await owner.until(lambda: listener.state == "lost")


async def test_the_newest_socket_counts() -> None:
    """An old one may be half open for long: it is closed, and told as lost first."""
    owner = Owner()
    async with listening(owner) as listener, asterisk(listener) as old:
        await owner.heard("connected")
        async with asterisk(listener) as new:
            await owner.heard("connected", 2)
            await old.wait_closed()
            await new.send(event("StasisThing"))
            await owner.heard("UnknownEvent")
    assert owner.told[0] == "connected"
    assert owner.told[1].startswith("lost: ")
    assert owner.told[2:4] == ["connected", "UnknownEvent"]


@pytest.mark.parametrize("password", ["", "wrong", "secret "])
async def test_a_wrong_password_is_refused(password: str) -> None:
    """With 401, a warning and a count, and without a word to the owner."""
    owner, measures = Owner(), Measures()
    async with listening(owner, measures=measures) as listener:
        with pytest.raises(InvalidStatus, match="401"):
            async with asterisk(listener, password=password):
                pass
    assert owner.told == []
    assert measures.drops.values == {("ari_socket_refused",): 1.0}


async def test_no_password_is_refused() -> None:
    """Nobody is let in who shows nothing."""
    owner = Owner()
    async with listening(owner) as listener:
        with pytest.raises(InvalidStatus, match="401"):
            async with connect(f"ws://127.0.0.1:{listener.port}/", subprotocols=ARI, proxy=None):
                pass
    assert owner.told == []


@pytest.mark.parametrize("subprotocols", [(), (Subprotocol("media"),)])
async def test_another_subprotocol_is_refused(subprotocols: tuple[Subprotocol, ...]) -> None:
    """chan_websocket's media connections have no business here."""
    owner = Owner()
    async with listening(owner) as listener:
        with pytest.raises(InvalidStatus, match="400"):
            async with asterisk(listener, subprotocols=subprotocols):
                pass
    assert owner.told == []


async def test_bytes_that_are_no_handshake_change_nothing() -> None:
    """A port scan is closed, and Asterisk comes in as ever."""
    owner = Owner()
    async with listening(owner) as listener:
        for said in (b"", b"\0\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(said)
            writer.write_eof()
            async with asyncio.timeout(10):
                await reader.read()
            writer.close()
            await writer.wait_closed()
        async with asterisk(listener):
            await owner.heard("connected")


async def test_a_failed_reconciliation_closes_the_socket() -> None:
    """Asterisk opens the next one by itself; the reason is shown until then."""

    class Failing(Owner):
        async def on_connected(self) -> None:
            await super().on_connected()
            raise KeyError("oops")

    owner = Failing()
    async with listening(owner) as listener, asterisk(listener) as socket:
        await socket.wait_closed()
        await owner.until(lambda: listener.state == "lost")
        assert listener.last_error == "KeyError: 'oops'"


async def test_an_asterisk_that_answers_no_ping_is_given_up() -> None:
    """The socket of a machine that lost its power would be open for hours."""
    owner = Owner()
    async with listening(owner, ping_seconds=0.05) as listener, asterisk(listener) as socket:
        await owner.heard("connected")
        socket.transport.pause_reading()
        await owner.until(lambda: listener.state == "lost")
        socket.transport.resume_reading()
    assert "keepalive ping timeout" in listener.last_error


async def test_run_listens_when_nobody_did() -> None:
    """One call is enough."""
    owner = Owner()
    listener = AriListener(
        host="127.0.0.1",
        port=0,
        username="a",
        password="b",
        on_event=owner.on_event,
        on_connected=owner.on_connected,
        on_lost=owner.on_lost,
        measures=Measures(),
    )
    assert listener.port == 0
    task = asyncio.create_task(listener.run())
    await owner.until(lambda: listener.port != 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert listener.since.tzinfo is not None


async def test_an_address_in_use_is_an_error_at_the_start() -> None:
    """Of `listen`, so that a program can say so before it takes calls."""
    async with listening(Owner()) as first:
        second = AriListener(
            host="127.0.0.1",
            port=first.port,
            username="a",
            password="b",
            on_event=Owner().on_event,
            on_connected=Owner().on_connected,
            on_lost=Owner().on_lost,
            measures=Measures(),
        )
        with pytest.raises(OSError, match="address already in use"):
            await second.listen()
