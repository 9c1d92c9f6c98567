"""Asterisk opens the event socket to us, and keeps calls and events while we are away."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest
from ari_stage import Watcher

from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.events import StasisEnd, StasisStart
from fastagi_server.ari.listener import AriListener
from fastagi_server.ari.subjects import channels_of
from fastagi_server.telemetry.measures import Measures
from lab.asterisk import Asterisk
from lab.outbound_events import connect_events
from lab.processes import wait_until
from lab.root import Root

pytestmark = pytest.mark.asterisk

USERNAME = "asterisk"
PASSWORD = "socket-password"

DIALPLAN = """
[kept]
exten => _X.,1,Answer()
 same => n,Stasis(kept,${EXTEN})
 same => n,Set(KEPT=${STASISSTATUS})
 same => n,Wait(60)
"""


@pytest.fixture(scope="module")
def listened(lab_root: Root) -> Iterator[tuple[Asterisk, int]]:
    """Run an Asterisk that connects to a port of ours, and return the port too."""
    with Asterisk.start(extensions=DIALPLAN, root=lab_root) as running:
        port = running.ports.phone(19).last
        connect_events(running, port, ["kept"], username=USERNAME, password=PASSWORD)
        yield running, port


@asynccontextmanager
async def listening(port: int) -> AsyncGenerator[Watcher]:
    """Listen for the time of the block; the socket is up when it begins."""
    watcher, connected = Watcher(), asyncio.Event()

    async def on_connected() -> None:
        connected.set()

    listener = AriListener(
        host="127.0.0.1",
        port=port,
        username=USERNAME,
        password=PASSWORD,
        on_event=watcher.receive,
        on_connected=on_connected,
        on_lost=lambda _reason: None,
        measures=Measures(),
    )
    await listener.listen()
    task = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(20):
            await connected.wait()
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert listener.state == "stopped"


@asynccontextmanager
async def client_of(asterisk: Asterisk) -> AsyncGenerator[AriClient]:
    """The operations, which go over HTTP as ever."""
    async with open_ari(
        f"http://127.0.0.1:{asterisk.ports.http}",
        username=asterisk.control.user,
        password=asterisk.passwords["ari"],
        measures=Measures(),
    ) as client:
        yield client


def call(asterisk: Asterisk, extension: str) -> str:
    """Place a call that enters Stasis; the id of the half that does."""
    channel_id = f"kept-{extension}"
    asterisk.control.originate(
        f"Local/{extension}@kept", context="lab", extension="wait", channel_id=channel_id
    )
    half = f"{channel_id};2"

    def is_in_stasis() -> bool:
        found = {channel["id"]: channel for channel in asterisk.control.channels()}
        return half in found and found[half]["dialplan"]["app_name"] == "Stasis"

    assert wait_until(is_in_stasis, 10)
    return half


async def test_calls_wait_and_events_are_kept_while_we_restart(
    listened: tuple[Asterisk, int],
) -> None:
    """A call that comes while nobody listens is told when somebody does, and so is its end."""
    asterisk, port = listened
    async with listening(port) as watcher, client_of(asterisk) as client:
        first = await asyncio.to_thread(call, asterisk, "11")
        await watcher.kind(StasisStart, first)
        await client.create_bridge("kept")
        await client.add_to_bridge("kept", first)
    second = await asyncio.to_thread(call, asterisk, "12")
    third = await asyncio.to_thread(call, asterisk, "13")
    await asyncio.to_thread(asterisk.control.hang_up, first)
    async with listening(port) as watcher, client_of(asterisk) as client:
        await watcher.kind(StasisEnd, first)
        await watcher.kind(StasisStart, third)
        live = {channel.id for channel in await client.channels()}
        await client.create_bridge("kept-2")
        await client.add_to_bridge("kept-2", second, third)
        for channel_id in (second, third):
            await client.hang_up(channel_id)
            await watcher.kind(StasisEnd, channel_id)
        await client.destroy_bridge("kept")
        await client.destroy_bridge("kept-2")
    starts = [
        channels_of(event)[0].id for event in watcher.events if isinstance(event, StasisStart)
    ]
    assert starts == [second, third]
    assert {second, third} <= live
    assert first not in live
    assert asterisk.wait_idle()


async def test_the_order_of_what_was_kept_is_that_of_asterisk(
    listened: tuple[Asterisk, int],
) -> None:
    """The events of the time away come first and in the order in which they happened."""
    asterisk, port = listened
    channel_id = await asyncio.to_thread(call, asterisk, "21")
    await asyncio.to_thread(asterisk.control.hang_up, channel_id)
    assert await asyncio.to_thread(asterisk.wait_idle)
    async with listening(port) as watcher:
        await watcher.kind(StasisEnd, channel_id)
    told = watcher.story(channel_id)
    assert told == ["StasisStart kept 21 Up", "ChannelHangupRequest 32", "StasisEnd kept"]
    stamps = [event.timestamp for event in watcher.events]
    assert stamps == sorted(stamps)
