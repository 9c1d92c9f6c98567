"""What the telephone system tells of users."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest

from fastagi_server.calls.models import Call, CallStatus, CallType
from fastagi_server.events.models import Event
from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.presence import feed
from fastagi_server.presence.book import PresenceBook
from fastagi_server.presence.feed import MAX_WAITING, PresenceFeed
from fastagi_server.telemetry.measures import Measures
from tests.unit.presence.presence_doubles import NOON, Ear, noon

DIRECTORY = ExtensionTable({"1001": "bob", "1002": "carol"})


def call_of(
    caller: str,
    *participants: str,
    status: CallStatus = CallStatus.CONNECTED,
    metadata: Mapping[str, str] | None = None,
) -> Call:
    """A call with the id c1."""
    return Call(
        id="c1",
        caller_id=caller,
        participants=participants,
        call_type=CallType.AUDIO,
        status=status,
        start_time=NOON,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata=metadata or {},
        updated_at=NOON,
    )


class Stage:
    """A feed with its records, the users that were told, and the telephones on a call."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.book = PresenceBook(
            measures=self.measures, directory=DIRECTORY, gone_seconds=3600.0, now=noon
        )
        self.call: Call | None = None
        self.live: Collection[str] | None = ()
        self.asked = 0
        self.told: list[tuple[str, str]] = []
        self.feed = PresenceFeed(
            self.book,
            self,
            self,
            directory=DIRECTORY,
            measures=self.measures,
            live_endpoints=self.live_endpoints,
            look_seconds=0.0,
        )

    async def get(self, call_id: str) -> Call | None:
        """See `feed.CallRecords`."""
        self.asked += 1
        return self.call if call_id == "c1" else None

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        """See `feed.CallRecords`."""
        return [self.call] if self.call is not None and self.call.is_active else []

    def tell_call(self, user: str, call: Call) -> None:
        """See `feed.CallNews`."""
        self.told.append((user, call.status.value))

    async def live_endpoints(self) -> Collection[str] | None:
        """See `feed.LiveEndpoints`."""
        return self.live

    async def happens(self, kind: str, call: Call, actor: str = "asterisk") -> None:
        """Record a call and tell the feed that something happened to it."""
        self.call = call
        data = {"actor": actor, "caller_id": call.caller_id, "participants": call.participants}
        self.feed.hear(Event(f"call.{kind}", NOON, call="c1", data=data))
        await self.feed.settle()

    def device(self, device: str, state: str) -> None:
        """Tell the feed of a device."""
        data = {"device": device, "state": state}
        self.feed.hear(Event("device.state", NOON, data=data))

    def seen(self, user: str) -> str | None:
        """How a user is seen, None for an unknown one."""
        presence = self.book.get(user)
        return None if presence is None else presence.status.value


@pytest.fixture
async def stage() -> Stage:
    """A stage on which alice, bob and carol are online."""
    stage = Stage()
    for user in ("alice", "bob", "carol"):
        stage.book.enter(user, Ear())
    return stage


@pytest.mark.parametrize("state", ["INUSE", "BUSY", "ONHOLD", "RINGINUSE"])
async def test_a_telephone_on_a_call(stage: Stage, state: str) -> None:
    """While his telephone is in use, in whichever way, its user is busy."""
    stage.device("PJSIP/1001", state)
    assert stage.seen("bob") == "busy"
    stage.device("PJSIP/1001", "NOT_INUSE")
    assert stage.seen("bob") == "online"


@pytest.mark.parametrize("state", ["RINGING", "NOT_INUSE", "UNAVAILABLE", "INVALID", "?"])
async def test_a_telephone_that_is_not_on_a_call(stage: Stage, state: str) -> None:
    """A telephone that rings or is away makes nobody busy."""
    stage.device("PJSIP/1001", state)
    assert stage.seen("bob") == "online"


async def test_a_telephone_of_nobody(stage: Stage) -> None:
    """A device without a user makes nobody known."""
    stage.device("PJSIP/trunk", "INUSE")
    assert stage.seen("PJSIP/trunk") is None


async def test_a_browser_that_called_is_busy(stage: Stage) -> None:
    """The caller whose own leg is a browser is on the call; the telephone tells for itself."""
    call = call_of("alice", "PJSIP/1009", metadata={"caller_leg": "webrtc"})
    await stage.happens("connected", call)
    assert stage.seen("alice") == "busy"
    await stage.happens("ended", replace(call, status=CallStatus.ENDED))
    assert stage.seen("alice") == "online"


async def test_who_only_ordered_a_call_is_not_on_it(stage: Stage) -> None:
    """A user who has two telephones connected is not on the call himself."""
    await stage.happens("connected", call_of("alice", "PJSIP/1008", "PJSIP/1009"))
    assert stage.seen("alice") == "online"


async def test_a_call_between_users(stage: Stage) -> None:
    """Both users of a call between browsers are on it, also while it is held."""
    await stage.happens("connected", call_of("alice", "bob"))
    assert (stage.seen("alice"), stage.seen("bob")) == ("busy", "busy")
    await stage.happens("on_hold", call_of("alice", "bob", status=CallStatus.ON_HOLD))
    assert (stage.seen("alice"), stage.seen("bob")) == ("busy", "busy")


async def test_of_several_only_who_accepted(stage: Stage) -> None:
    """Of several users who rang the one is on the call who accepted it."""
    await stage.happens("connected", call_of("alice", "bob", "carol"), actor="carol")
    assert (stage.seen("bob"), stage.seen("carol")) == ("online", "busy")


@pytest.mark.parametrize("status", [CallStatus.INITIATING, CallStatus.RINGING])
async def test_ringing_is_not_busy(stage: Stage, status: CallStatus) -> None:
    """A call that nobody has answered makes nobody busy."""
    await stage.happens("ringing", call_of("alice", "bob", status=status))
    assert (stage.seen("alice"), stage.seen("bob")) == ("online", "online")


async def test_the_parties_are_told(stage: Stage) -> None:
    """Caller and callees hear of each change of their call, and nobody else does."""
    await stage.happens("ringing", call_of("alice", "SIP/1001", status=CallStatus.RINGING))
    assert sorted(stage.told) == [("alice", "ringing"), ("bob", "ringing")]


async def test_names_of_the_system_are_no_users(stage: Stage) -> None:
    """A call that the telephone system registered has no user for its caller."""
    await stage.happens("connected", call_of("service", "bob"))
    assert stage.told == [("bob", "connected")]
    assert stage.seen("service") is None


async def test_calls_that_nobody_here_has_are_not_read(stage: Stage) -> None:
    """For calls of users who are not there no record is read."""
    await stage.happens("connected", call_of("service", "PJSIP/1009"))
    assert (stage.asked, stage.told) == (0, [])


async def test_a_call_that_never_was(stage: Stage) -> None:
    """A discarded call, which has no record any more, is told to nobody."""
    stage.feed.hear(Event("call.discarded", NOON, call="c2", data={"caller_id": "alice"}))
    await stage.feed.settle()
    assert stage.told == []


async def test_a_look_finds_what_was_missed(stage: Stage) -> None:
    """A look makes busy who is on a call, and frees who no longer is."""
    stage.call, stage.live = call_of("alice", "bob"), ["PJSIP/1002", "PJSIP/trunk"]
    await stage.feed.look()
    assert [stage.seen(user) for user in ("alice", "bob", "carol")] == ["busy", "busy", "busy"]
    stage.call, stage.live = None, []
    await stage.feed.look()
    assert [stage.seen(user) for user in ("alice", "bob", "carol")] == [
        "online",
        "online",
        "online",
    ]


async def test_a_look_that_cannot_see_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more calls than a look takes in, nobody is free for not being among them."""
    stage.call = call_of("alice", "bob")
    await stage.feed.look()
    stage.call = replace(stage.call, id="c2", caller_id="carol", participants=("carol",))
    monkeypatch.setattr(feed, "MAX_LOOK", 1)
    await stage.feed.look()
    assert [stage.seen(user) for user in ("alice", "bob", "carol")] == ["busy", "busy", "busy"]


async def test_a_look_without_the_manager_interface(stage: Stage) -> None:
    """While telephones cannot be listed they keep their last state."""
    stage.device("PJSIP/1001", "INUSE")
    stage.live = None
    await stage.feed.look()
    assert stage.seen("bob") == "busy"


async def test_events_that_wait_are_limited(stage: Stage) -> None:
    """Of more events than may wait the oldest are dropped, and counted."""
    for _ in range(MAX_WAITING + 2):
        stage.feed.hear(Event("call.ringing", NOON, call="c1", data={}))
    assert stage.measures.drops.values == {("presence_call",): 2.0}


async def test_a_link_that_comes_up_makes_it_look(stage: Stage) -> None:
    """What happened while a link was down is found as soon as it is up."""
    busy = asyncio.Event()
    stage.book.on_change(lambda shown: busy.set() if shown.status == "busy" else None)
    stage.feed._look_seconds = 3600.0  # pyright: ignore[reportPrivateUsage] - not by chance
    running = asyncio.create_task(stage.feed.run())
    for _ in range(5):
        await asyncio.sleep(0)
    stage.live = ["PJSIP/1001"]
    stage.feed.hear(Event("link.up", NOON, data={"link": "ami", "name": "ami"}))
    await asyncio.wait_for(busy.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_failing_look_is_repeated(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that cannot be read do not end the feed: it looks again."""
    looks: list[int] = []
    again = asyncio.Event()

    async def fail() -> Collection[str] | None:
        looks.append(1)
        if len(looks) > 1:
            again.set()
        raise OSError

    stage.feed._live_endpoints = fail  # pyright: ignore[reportPrivateUsage] - a fault put in
    running = asyncio.create_task(stage.feed.run())
    await asyncio.wait_for(again.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_running_feed_follows(stage: Stage) -> None:
    """What is heard while the feed runs is done without being asked for."""
    busy = asyncio.Event()
    stage.book.on_change(lambda shown: busy.set() if shown.status == "busy" else None)
    running = asyncio.create_task(stage.feed.run())
    stage.call = call_of("alice", "bob", status=CallStatus.RINGING)
    data = {"actor": "bob", "caller_id": "alice", "participants": ("bob",)}
    stage.call = replace(stage.call, status=CallStatus.CONNECTED)
    stage.feed.hear(Event("call.connected", NOON, call="c1", data=data))
    await asyncio.wait_for(busy.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
