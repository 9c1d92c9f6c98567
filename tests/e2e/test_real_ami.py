"""The manager interface of the real Asterisk, and the fake one held to it."""

import asyncio
from collections.abc import Iterator

import pytest
from ami_stage import SCENES, Watcher, linked

from fastagi_server.ami import events
from fastagi_server.ami.decoding import DECODERS
from fastagi_server.ami.errors import AmiRefusedError
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ami.fake import SECRET, FakeAmi
from fastagi_server.testing.proxy import TcpProxy
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.root import Root

pytestmark = pytest.mark.asterisk

POOR_USER = """
[poor]
secret = poor
read = user
write = user
"""


@pytest.fixture(scope="module")
def shared_pbx(lab_root: Root) -> Iterator[Asterisk]:
    """Run one Asterisk for the tests of this module; its calls ring for 2 s."""
    with Asterisk.start(variables={"SGE_RING_SECONDS": "2"}, root=lab_root) as running:
        yield running


@pytest.fixture
def pbx(shared_pbx: Asterisk) -> Iterator[Asterisk]:
    """Return it, and afterwards leave it without a channel."""
    yield shared_pbx
    for channel in shared_pbx.control.channels():
        shared_pbx.control.hang_up(channel["id"])
    assert shared_pbx.wait_idle()


async def test_the_shipped_user_lists_and_leads_no_call(pbx: Asterisk) -> None:
    """Lists work and have their types; placing a call or running a command is refused."""
    async with linked(pbx.ports.ami, pbx.passwords["ami"]) as (link, watcher):
        await watcher.until(lambda: link.state == "up")
        assert watcher.runs[0].version.startswith("22.")
        assert [await link.channels(), await link.bridges(), await link.contacts()] == [[], [], []]
        await asyncio.to_thread(
            pbx.control.originate, "Local/wait@lab", context="lab", extension="wait"
        )
        channels = await link.channels()
        for action in ("Originate", "Command", "Redirect", "Setvar", "Atxfer"):
            with pytest.raises(AmiRefusedError, match="Permission denied"):
                await link.action(action)
    assert len(channels) == 2
    assert {(shown.channel.context, shown.channel.exten) for shown in channels} == {("lab", "wait")}


async def test_only_the_events_that_are_read_are_sent(pbx: Asterisk) -> None:
    """Asterisk chooses them: nothing arrives that has no class."""
    measures = Measures()
    async with linked(pbx.ports.ami, pbx.passwords["ami"], measures=measures) as (link, watcher):
        await watcher.until(lambda: link.state == "up")
        await asyncio.to_thread(SCENES["answered"][0], pbx)
        await watcher.until(lambda: len(watcher.ended()) == 2)
    kinds = {labels[0] for labels in measures.ami_events.values}
    assert kinds <= {name.decode() for name in DECODERS}
    assert {"Newchannel", "DialEnd", "BridgeEnter", "Hangup", "ContactStatus"} <= kinds
    assert measures.drops.values == {}


async def test_events_have_the_time_of_asterisk(pbx: Asterisk) -> None:
    """Aware and in UTC, within a second of ours: it is the same machine."""
    async with linked(pbx.ports.ami, pbx.passwords["ami"]) as (link, watcher):
        await watcher.until(lambda: link.state == "up")
        await asyncio.to_thread(
            pbx.control.originate, "Local/wait@lab", context="lab", extension="wait"
        )
        await watcher.until(lambda: any(isinstance(e, events.Newchannel) for e in watcher.events))
    first = next(event for event in watcher.events if isinstance(event, events.Newchannel))
    assert first.channel.unique_id.startswith(str(int(first.at.timestamp()))[:8])


@pytest.mark.parametrize("scene", SCENES)
async def test_the_fake_tells_what_the_real_one_tells(pbx: Asterisk, scene: str) -> None:
    """Of each channel the same events with the same states and causes, in the same order."""
    real_play, fake_play = SCENES[scene]
    async with linked(pbx.ports.ami, pbx.passwords["ami"]) as (link, real):
        await real.until(lambda: link.state == "up")
        await asyncio.to_thread(real_play, pbx)
        await real.until(lambda: len(real.ended()) == 2)
    async with FakeAmi() as asterisk, linked(asterisk.port, SECRET) as (link, fake):
        await fake.until(lambda: link.state == "up")
        fake_play(asterisk.exchange)
        await fake.until(lambda: len(fake.ended()) == 2)
    assert fake.story("PJSIP/1002") == real.story("PJSIP/1002")
    assert fake.story("PJSIP/1001") == real.story("PJSIP/1001")
    assert fake.dialling() == real.dialling()
    assert _shape(fake) == _shape(real)


def _shape(watcher: Watcher) -> list[tuple[str, str, str, str]]:
    """What else a called phone's end says of its channel."""
    return [
        (ended.channel.caller_number, ended.channel.context, ended.channel.exten, ended.cause_text)
        for ended in watcher.ended()
        if ended.channel.name.startswith("PJSIP/1002")
    ]


async def test_the_fake_refuses_as_the_real_one_refuses(pbx: Asterisk) -> None:
    """In the same words."""
    async with FakeAmi() as asterisk:
        fake = await _words(asterisk.port, asterisk.secret)
    real = await _words(pbx.ports.ami, pbx.passwords["ami"])
    assert fake == real
    assert real == [
        "Authentication failed",
        "Invalid/unknown command",
        "ActionID Ping Response Timestamp content",
    ]


async def _words(port: int, secret: str) -> list[str]:
    """What an Asterisk says to a wrong secret, to nonsense and to a ping."""
    async with linked(port, "wrong") as (refused, watcher):
        await watcher.until(lambda: refused.state == "authentication refused")
    async with linked(port, secret) as (link, watcher):
        await watcher.until(lambda: link.state == "up")
        with pytest.raises(AmiRefusedError) as caught:
            await link.action("Nonsense")
        pong = await link.action("Ping")
    return [refused.last_error, caught.value.message.partition(":")[0], " ".join(sorted(pong))]


async def test_a_user_without_classes_is_told_what_he_lacks(lab_root: Root) -> None:
    """He can log in, and the link says why that is not enough."""
    with Asterisk.start(root=lab_root) as pbx:
        configuration = pbx.folder / "etc/manager.conf"
        configuration.write_text(configuration.read_text() + POOR_USER)
        await asyncio.to_thread(pbx.cli, "manager reload")
        async with linked(pbx.ports.ami, "poor", username="poor", boot_seconds=0.5) as (
            link,
            watcher,
        ):
            await watcher.until(lambda: "read = system" in link.last_error)
        assert watcher.runs == []


async def test_a_restarted_asterisk_is_another_run(lab_root: Root) -> None:
    """The link is lost, comes back by itself, and says that every id is void."""
    with Asterisk.start(root=lab_root) as pbx:
        async with linked(pbx.ports.ami, pbx.passwords["ami"]) as (link, watcher):
            await watcher.until(lambda: link.state == "up")
            await asyncio.to_thread(
                pbx.control.originate, "Local/wait@lab", context="lab", extension="wait"
            )
            await watcher.until(lambda: len(watcher.events) > 3)
            await asyncio.to_thread(pbx.cli, "core restart now")
            await watcher.until(lambda: len(watcher.runs) == 2 and link.state == "up")
            assert [run.is_new for run in watcher.runs] == [False, True]
            assert len(watcher.losses) == 1
            assert await link.channels() == []
    shutdowns = [event for event in watcher.events if isinstance(event, events.Shutdown)]
    assert [event.restart for event in shutdowns] == [True]


async def test_a_silent_network_is_noticed_and_a_cut_one_comes_back(pbx: Asterisk) -> None:
    """As the same run."""
    async with TcpProxy("127.0.0.1", pbx.ports.ami) as proxy:
        secret = pbx.passwords["ami"]
        async with linked(proxy.port, secret, ping_seconds=0.3) as (link, watcher):
            await watcher.until(lambda: link.state == "up")
            proxy.stall()
            await watcher.until(lambda: len(watcher.losses) == 1)
            proxy.resume()
            await watcher.until(lambda: len(watcher.runs) == 2 and link.state == "up")
            proxy.cut(reset=True)
            await watcher.until(lambda: len(watcher.runs) == 3 and link.state == "up")
    assert watcher.losses[0] == "Ping: no answer in 0.3 s"
    assert [run.is_new for run in watcher.runs] == [False, False, False]


async def test_two_hundred_calls_at_once_are_told_whole(pbx: Asterisk) -> None:
    """Each channel begins and ends once, and the lists agree with the events."""
    measures = Measures()
    async with linked(pbx.ports.ami, pbx.passwords["ami"], measures=measures) as (link, watcher):
        await watcher.until(lambda: link.state == "up")
        for _ in range(200):
            await asyncio.to_thread(
                pbx.control.originate, "Local/wait@lab", context="lab", extension="wait"
            )
        listed = {shown.channel.unique_id for shown in await link.channels()}
        for channel_id in listed:
            await asyncio.to_thread(pbx.control.hang_up, channel_id)
        await watcher.until(lambda: len(watcher.ended()) >= 400)
    begun = [e.channel.unique_id for e in watcher.events if isinstance(e, events.Newchannel)]
    assert len(begun) == len(set(begun)) == 400
    assert set(begun) == listed
    assert sorted(ended.channel.unique_id for ended in watcher.ended()) == sorted(begun)
    assert measures.drops.values == {}


async def test_a_phone_that_comes_and_goes_is_told(pbx: Asterisk) -> None:
    """Its contact and the state of its device."""
    async with linked(pbx.ports.ami, pbx.passwords["ami"]) as (link, watcher):
        await watcher.until(lambda: link.state == "up")
        with await asyncio.to_thread(Phone.answering, pbx, "1001"):
            contacts = await link.contacts()
        await watcher.until(lambda: "Removed" in _statuses(watcher, "1001"))
    known = next(contact for contact in contacts if contact.aor == "1001")
    assert (known.status, known.endpoint) == ("Reachable", "1001")
    assert "Reachable" in _statuses(watcher, "1001")
    devices = [event for event in watcher.events if isinstance(event, events.DeviceStateChange)]
    assert {"NOT_INUSE", "UNAVAILABLE"} <= {
        event.state for event in devices if event.device == "PJSIP/1001"
    }


def _statuses(watcher: Watcher, aor: str) -> list[str]:
    return [
        event.status
        for event in watcher.events
        if isinstance(event, events.ContactStatus) and event.aor == aor
    ]
