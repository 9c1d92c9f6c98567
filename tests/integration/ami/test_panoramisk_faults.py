"""Each known fault of panoramisk by itself, shown to be there, and not there behind our link.

Should a test of the bare library fail one day, the fault is mended and our cure may go.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from ami_owner import WAIT_SECONDS, Owner, linked, up
from panoramisk import Manager, Message
from panoramisk.ami_protocol import AMIProtocol

from fastagi_server.ami.errors import AmiUnreachableError
from fastagi_server.ami.events import Event, Newchannel
from fastagi_server.ami.link import AmiLink
from fastagi_server.ami.protocol import Protocol
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ami.fake import SECRET, USERNAME, FakeAmi
from fastagi_server.testing.ami.messages import event

ORIGINATE = {
    "Action": "Originate",
    "Channel": "Local/1001@sky-genesis-voip",
    "Async": "true",
}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - conditions are of many kinds
            await asyncio.sleep(0.01)


@asynccontextmanager
async def bare(
    asterisk: FakeAmi,
    *,
    secret: str = SECRET,
    on_disconnect: Callable[[Manager, object], None] = lambda _manager, _error: None,
) -> AsyncGenerator[Manager]:
    """A manager of panoramisk as its documentation has it, that reconnects at once."""
    manager = Manager(
        loop=asyncio.get_running_loop(),
        host=asterisk.host,
        port=asterisk.port,
        username=USERNAME,
        secret=secret,
        ping_delay=3600,
        ping_interval=3600,
        reconnect_timeout=0,
        on_disconnect=on_disconnect,
    )
    await manager.connect()
    try:
        await until(lambda: bool(asterisk.actions))
        yield manager
    finally:
        manager.reconnect_timeout = 3600
        manager.close()


def count(asterisk: FakeAmi, action: str) -> int:
    """How often an action was received."""
    return sum(received["action"] == action for received in asterisk.actions)


async def test_bare_an_unanswered_action_is_sent_again() -> None:
    """After each connection: a second call is placed."""
    async with FakeAmi() as asterisk, bare(asterisk) as manager:
        asterisk.silent.add("originate")
        await until(lambda: manager.authenticated)
        answer = manager.send_action(dict(ORIGINATE))
        await until(lambda: count(asterisk, "Originate") == 1)
        asterisk.cut()
        await until(lambda: count(asterisk, "Originate") == 2)
        answer.cancel()


async def test_an_unanswered_action_is_sent_once() -> None:
    """It fails with its connection."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        asterisk.silent.add("originate")
        await up(link, owner)
        answer = asyncio.create_task(link.action("Originate", {"Channel": "Local/1001@x"}))
        await until(lambda: count(asterisk, "Originate") == 1)
        asterisk.cut()
        with pytest.raises(AmiUnreachableError):
            await answer
        await owner.heard("connected", 2)
        await up(link, owner)
        await link.action("Ping")
        assert count(asterisk, "Originate") == 1


async def test_bare_a_half_open_connection_is_never_noticed() -> None:
    """Unanswered pings pile up, and the connection counts as good."""
    lost: list[object] = []
    async with (
        FakeAmi() as asterisk,
        bare(asterisk, on_disconnect=lambda _, error: lost.append(error)) as manager,
    ):
        await until(lambda: manager.authenticated)
        asterisk.silent.add("ping")
        for _ in range(20):
            manager.ping()
        await until(lambda: count(asterisk, "Ping") == 20)
        assert manager.protocol is not None
        assert (manager.protocol.closed, lost, len(manager.protocol.responses)) == (False, [], 20)


async def test_a_half_open_connection_is_noticed() -> None:
    """By the first ping that is not answered in time."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner, ping_seconds=0.1) as link:
        await up(link, owner)
        asterisk.stall()
        await owner.heard("lost: Ping: no answer in 0.1 s")
        asterisk.resume()
        await owner.heard("connected", 2)


async def test_bare_a_callback_that_raises_drops_the_connection() -> None:
    """An exception leaves the reader, and the reader was the connection."""
    lost: list[object] = []

    def fail(_manager: Manager, _message: Message) -> None:
        raise ValueError("a mistake")

    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    async with (
        FakeAmi() as asterisk,
        bare(asterisk, on_disconnect=lambda _, error: lost.append(error)) as manager,
    ):
        manager.register_event("Newchannel", fail)
        await until(lambda: manager.authenticated)
        asterisk.exchange.call("1002", "1001")
        await until(lambda: len(lost) == 1)
    assert isinstance(lost[0], ValueError)


async def test_a_callback_that_raises_drops_nothing() -> None:
    """Neither the connection nor the events after it."""

    class Faulty(Owner):
        def on_event(self, event: Event) -> None:
            super().on_event(event)
            raise ValueError("a mistake")

    owner = Faulty()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        caller = asterisk.exchange.call("1002", "1001")
        asterisk.exchange.hang_up(caller)
        await owner.heard("Hangup")
        assert owner.told == ["connected", "FullyBooted", "Newchannel", "Hangup"]


async def test_bare_a_closed_manager_connects_again() -> None:
    """What was scheduled when the connection was lost is not taken back."""
    async with FakeAmi() as asterisk, bare(asterisk, on_disconnect=lambda m, _: m.close()):
        asterisk.cut()
        await until(lambda: count(asterisk, "Login") == 2)


async def test_a_stopped_link_never_connects_again() -> None:
    """Also when it is stopped between two connections."""
    owner = Owner()
    async with FakeAmi() as asterisk:
        async with linked(asterisk.port, owner, pause_seconds=3600) as link:
            await up(link, owner)
            asterisk.cut()
            await owner.until(lambda: link.state == "lost")
        logins = count(asterisk, "Login")
        await until(lambda: asterisk.connections == 0)
        async with linked(asterisk.port, Owner()) as other:
            await until(lambda: other.state == "up")
            assert count(asterisk, "Login") == logins + 1


async def test_bare_a_wrong_secret_leaves_a_connection_of_no_use() -> None:
    """Open, unauthenticated, for ever, and nobody is told."""
    async with FakeAmi() as asterisk, bare(asterisk, secret="wrong") as manager:
        answers = manager.send_action({"Action": "CoreStatus"})
        refused = await asyncio.wait_for(answers, WAIT_SECONDS)
        assert refused.response == "Error"
        assert manager.authenticated is False
        assert asterisk.connections == 1


async def test_a_wrong_secret_is_said_and_given_time() -> None:
    """The connection is closed, and the next login waits."""
    owner, measures = Owner(), Measures()
    async with (
        FakeAmi() as asterisk,
        linked(asterisk.port, owner, secret="wrong", measures=measures) as link,
    ):
        await owner.until(lambda: link.state == "authentication refused")
        await until(lambda: asterisk.connections == 0)
        assert link.last_error == "Authentication failed"
        with pytest.raises(AmiUnreachableError, match="Authentication failed"):
            await link.action("CoreStatus")
    assert measures.ami_link_changes.values[("ami", "authentication refused")] >= 1
    assert owner.told == []


async def test_bare_sending_before_the_connection_is_an_error_of_python() -> None:
    """There is no protocol yet to send with."""
    manager = Manager(loop=asyncio.get_running_loop())
    with pytest.raises(AttributeError):
        manager.send_action({"Action": "Ping"})


async def test_sending_before_the_connection_is_an_error_in_words() -> None:
    """Of the type that tells of a lost one as well."""
    owner = Owner()
    link = AmiLink(
        host="127.0.0.1",
        port=1,
        username=USERNAME,
        secret=SECRET,
        on_event=owner.on_event,
        on_connected=owner.on_connected,
        on_lost=owner.on_lost,
        measures=Measures(),
    )
    for asked in (link.action("Ping"), link.channels(), link.bridges(), link.contacts()):
        with pytest.raises(AmiUnreachableError, match="no connection to the manager interface"):
            await asked


class Meter:
    """Counts the bytes that a protocol class has taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[AMIProtocol]) -> None:
        self.taken = 0
        take = kind.data_received

        def data_received(protocol: AMIProtocol, data: bytes) -> None:
            take(protocol, data)
            self.taken += len(data)

        monkeypatch.setattr(kind, "data_received", data_received)


HELENE = event(
    "Newchannel",
    {"CallerIDName": "Hélène", "Uniqueid": "17.4", "Channel": "PJSIP/1001-00000001"},
    privilege="call",
    at=1_710_000_000,
)
MIDDLE = HELENE.index("é".encode()) + 1


async def test_bare_a_character_cut_in_two_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece is decoded by itself, and what is none is left out."""
    names: list[str] = []
    meter = Meter(monkeypatch, AMIProtocol)
    async with FakeAmi() as asterisk, bare(asterisk) as manager:
        manager.register_event("Newchannel", lambda _, message: names.append(message.calleridname))
        await until(lambda: manager.authenticated)
        before = meter.taken
        asterisk.send(HELENE[:MIDDLE])
        await until(lambda: meter.taken == before + MIDDLE)
        asterisk.send(HELENE[MIDDLE:])
        await until(lambda: len(names) == 1)
    assert names == ["Hlène"]


async def test_a_character_cut_in_two_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are decoded when they are complete."""
    owner = Owner()
    meter = Meter(monkeypatch, Protocol)
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        before = meter.taken
        asterisk.send(HELENE[:MIDDLE])
        await until(lambda: meter.taken == before + MIDDLE)
        asterisk.send(HELENE[MIDDLE:])
        await owner.heard("Newchannel")
    heard = owner.events[-1]
    assert isinstance(heard, Newchannel)
    assert heard.channel.caller_name == "Hélène"


RESPONSE = {"Response": "Success", "Channel": "Local/1-1;1", "Reason": "4", "Uniqueid": "17.4"}


async def test_bare_the_outcome_of_an_originate_is_no_event() -> None:
    """It disappears into the answer to the action, and who listens for it hears nothing."""
    heard: list[Message] = []
    async with FakeAmi() as asterisk, bare(asterisk) as manager:
        manager.register_event("OriginateResponse", lambda _, message: heard.append(message))
        await until(lambda: manager.authenticated)
        answer = manager.send_action({**ORIGINATE, "ActionID": "mine"})
        await until(lambda: count(asterisk, "Originate") == 1)
        asterisk.tell("OriginateResponse", {**RESPONSE, "ActionID": "mine"})
        await asyncio.wait_for(answer, WAIT_SECONDS)
    assert heard == []


async def test_the_outcome_of_an_originate_is_an_event() -> None:
    """The action is answered when it is accepted, and what becomes of it is told later."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        answer = await link.action("Originate", {"Channel": "Local/1@x", "ActionID": "mine"})
        asterisk.tell("OriginateResponse", {**RESPONSE, "ActionID": "mine"})
        await owner.heard("OriginateResponse")
    assert answer["Message"] == "Originate successfully queued"
