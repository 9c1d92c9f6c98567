"""The gateway as the service runs it, with real records and sockets; a test plays Asterisk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fastagi_server.browser_calls import BrowserCalls, open_browser_calls
from fastagi_server.calls.commands import Command
from fastagi_server.calls.models import Call, CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.events.models import CALL_ENDED, Event
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.presence.book import PresenceBook
from fastagi_server.settings import load_settings
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.models import ASTERISK
from fastagi_server.sip.messages import Request, Response
from fastagi_server.store.opening import Store, open_store
from fastagi_server.telemetry.measures import Measures
from tests.integration.sip.sip_peer import ANSWER, Peer, Talker, free_port
from tests.unit.gateway.gateway_stage import SDP

ALICE = Identity("alice", frozenset({Scope.CALLS}))
SERVICE = Identity("service", frozenset({Scope.SERVICE}))
SECONDS = 10.0
TRYING = 100


class NoLedCalls:
    """Asterisk's dialplan answers everything by itself."""

    is_linked = True

    def leads_call(self, call_id: str) -> bool:
        """See LedCalls."""
        del call_id
        return False

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        """See LedCalls."""
        raise AssertionError((call, command, actor, own))


@dataclass
class Running:
    """One run of the service's part that takes calls from browsers."""

    store: Store
    registry: CallRegistry
    exchange: Exchange
    parts: BrowserCalls
    listens: int

    async def call(self, number: str) -> Call:
        """Alice calls a number from a page, and offers."""
        order = CallOrder((f"SIP/{number}",), CallType.AUDIO, {"caller_leg": "webrtc"})
        call, _ = await self.registry.create(order, ALICE, None)
        await self.send(call, "offer", {"type": "offer", "sdp": SDP})
        return call

    async def send(self, call: Call, kind: str, payload: Any = None, by: Identity = ALICE) -> None:
        """A page sends a message to Asterisk."""
        await self.exchange.send(call.id, by, ASTERISK, kind, payload or {})

    async def hears(self, call: Call, *kinds: str, by: Identity = ALICE) -> None:
        """Wait until a page has heard these, in this order and nothing else."""
        async with asyncio.timeout(SECONDS):
            after, heard = 0, list[str]()
            while len(heard) < len(kinds):
                for message in await self.exchange.read(call.id, by, after=after, wait_seconds=5):
                    heard.append(message.kind)
                    after = message.sequence_number
        assert heard == list(kinds)

    async def until(self, call_id: str, status: str) -> Call:
        """The record of a call once it has a status."""
        async with asyncio.timeout(SECONDS):
            while (call := await self.registry.get(call_id, SERVICE)).status != status:
                await self.parts.clerk.idle()
                await asyncio.sleep(0.005)
        return call

    async def linked(self) -> None:
        """Return when Asterisk answers."""
        async with asyncio.timeout(SECONDS):
            while self.parts.agent.state != "up":  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(folder: Path, peer: Peer, listens: int) -> AsyncGenerator[Running]:
    """A run on the records of a folder; when it is left its process is over."""
    settings = load_settings(
        sge_gateway_listen=f"127.0.0.1:{listens}",
        sge_gateway_sip=f"127.0.0.1:{peer.port}",
        sge_gateway_token=SecretStr("s3cret"),
    )
    measures, directory = Measures(), ExtensionTable({})
    async with open_store(f"sqlite:///{folder / 'calls.sqlite3'}") as store:
        book = PresenceBook(measures=measures, directory=directory)
        exchange = Exchange(
            calls=store.calls, directory=directory, measures=measures, attendance=book
        )
        opened = open_browser_calls(
            settings,
            store,
            measures,
            mail=exchange,
            book=book,
            led=NoLedCalls(),
        )
        async with opened as parts:
            exchange.gateway = parts.gateway
            registry = CallRegistry(records=store.calls, control=None, measures=measures)
            task = asyncio.create_task(parts.run())
            run = Running(store, registry, exchange, parts, listens)
            await run.linked()
            try:
                yield run
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                exchange.close()
                book.close()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """What the gateway takes for Asterisk."""
    peer = Peer()
    await peer.listen()
    yield peer
    await peer.close()


@pytest.fixture
async def run(tmp_path: Path, peer: Peer) -> AsyncIterator[Running]:
    """A run that is linked."""
    async with running(tmp_path, peer, free_port()) as opened:
        yield opened


async def answer_to(talker: Talker) -> Response:
    """The next response that says something."""
    while True:
        message = await talker.next()
        assert isinstance(message, Response)
        if message.status != TRYING:
            return message


async def connect(run: Running, talker: Talker) -> tuple[Call, Request]:
    """A call of alice's that Asterisk has answered."""
    call = await run.call("600")
    invite = await talker.request("INVITE")
    talker.answer(invite, 200, sdp=ANSWER)
    await talker.request("ACK")
    await run.until(call.id, "connected")
    return call, invite


async def test_what_asterisk_is_told(run: Running, peer: Peer) -> None:
    """The number, the secret, who calls and which call it is."""
    talker = await peer.talker()
    call = await run.call("600")
    invite = await talker.request("INVITE")
    assert invite.uri == f"sip:600@127.0.0.1:{peer.port}"
    assert invite.headers.get("X-SGE-Gateway") == "s3cret"
    assert invite.headers.get("X-SGE-User") == "alice"
    assert invite.headers.get("X-SGE-Session") == call.id
    asserted = f'"alice" <sip:alice@127.0.0.1:{run.listens}>'
    assert invite.headers.get("P-Asserted-Identity") == asserted
    talker.answer(invite, 486)
    await talker.request("ACK")
    await run.hears(call, "hangup")
    ended = await run.until(call.id, "ended")
    assert (ended.hangup_cause, ended.dial_status) == (17, "BUSY")


async def test_a_call_is_ended_over_the_api(run: Running, peer: Peer) -> None:
    """The leg hears of it by the call's log."""
    talker = await peer.talker()
    call, _ = await connect(run, talker)
    run.parts.hear(Event("call.held", call.start_time, call=call.id, data={"actor": "alice"}))
    run.parts.hear(Event(CALL_ENDED, call.start_time, call=call.id, data={"actor": "alice"}))
    talker.answer(await talker.request("BYE"), 200)
    await run.hears(call, "answer", "hangup")


async def test_a_call_goes_on_in_the_next_run(tmp_path: Path, peer: Peer) -> None:
    """The next run says BYE in the dialog of the one before."""
    listens = free_port()
    async with running(tmp_path, peer, listens) as first:
        call, invite = await connect(first, await peer.talker())
    async with running(tmp_path, peer, listens) as second:
        talker = await peer.talker()
        await second.send(call, "hangup")
        message = await talker.request("BYE")
        assert message.headers.get("Call-ID") == invite.headers.get("Call-ID")
        talker.answer(message, 200)
        await second.hears(call, "hangup")
        ended = await second.until(call.id, "ended")
        assert (ended.hangup_cause, ended.dial_status) == (16, "ANSWER")


async def test_a_call_to_a_page(run: Running) -> None:
    """Who polls has a page open, and is rung there; who does not is not."""
    talker = await Talker.open(run.listens)
    talker.invite(run.listens, user="bob")
    assert (await answer_to(talker)).status == 480
    call = await run.call("600")
    polling = asyncio.create_task(run.exchange.read(call.id, ALICE, wait_seconds=5))
    await asyncio.sleep(0)
    invite = talker.invite(run.listens, user="alice")
    assert (await answer_to(talker)).status == 180
    (rung,) = (each for each in await run.registry.active(SERVICE, 10) if each.id != call.id)
    await run.send(rung, "answer", {"type": "answer", "sdp": SDP})
    answer = await answer_to(talker)
    assert answer.status == 200
    talker.follow(invite, answer, "ACK", 100)
    talker.follow(invite, answer, "BYE", 101)
    assert await talker.status() == 200
    await run.hears(rung, "offer", "hangup", "hangup")
    await run.until(rung.id, "ended")
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    await talker.close()
