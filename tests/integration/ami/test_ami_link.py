"""The link to the manager interface, with a fake Asterisk on real sockets."""

import asyncio

import pytest
from ami_owner import Owner, linked, up

from fastagi_server.ami.errors import (
    AmiError,
    AmiMessageError,
    AmiRefusedError,
    AmiTooSlowError,
    AmiUnreachableError,
)
from fastagi_server.ami.events import Hangup, Newchannel
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ami.answers import Contact
from fastagi_server.testing.ami.fake import FakeAmi


async def test_events_come_typed_and_in_order() -> None:
    """After the connection was announced."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        caller = asterisk.exchange.call("1002", "1001")
        asterisk.exchange.hang_up(caller, 17)
        await owner.heard("Hangup")
    assert owner.told[:4] == ["connected", "FullyBooted", "Newchannel", "Hangup"]
    ended = owner.events[-1]
    assert isinstance(ended, Hangup)
    assert (ended.cause, ended.cause_text) == (17, "User busy")
    assert ended.channel.unique_id == "1710000000.0"
    assert ended.at.timestamp() == pytest.approx(1710000000.0002)


async def test_the_login_asks_for_the_classes_that_are_needed() -> None:
    """And for no other events."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        login = asterisk.actions[0]
    assert login["action"] == "Login"
    assert login["events"] == "system,call,security,user"


async def test_what_is_there_can_be_listed() -> None:
    """Channels with their bridge, bridges and contacts."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        caller = asterisk.exchange.call("1002", "1001")
        asterisk.exchange.answer(asterisk.exchange.dial(caller, "PJSIP/1001"))
        asterisk.contacts.append(Contact("1001", "sip:1001@127.0.0.1:5080"))
        channels = await link.channels()
        bridges = await link.bridges()
        contacts = await link.contacts()
    assert [shown.channel.unique_id for shown in channels] == ["1710000000.0", "1710000000.1"]
    assert {shown.bridge_id for shown in channels} == {bridges[0].unique_id}
    assert (channels[0].seconds, channels[0].channel.state) == (62, "Up")
    assert bridges[0].channel_count == 2
    assert (contacts[0].aor, contacts[0].status) == ("1001", "Reachable")
    assert (contacts[0].expires_at, contacts[0].roundtrip_seconds) == (1710000300, 0.000706)


async def test_an_asterisk_without_anything_is_listed_as_empty() -> None:
    """Though it calls having no contacts an error."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        assert await link.channels() == []
        assert await link.bridges() == []
        assert await link.contacts() == []


async def test_a_list_of_a_thousand_channels_is_whole() -> None:
    """However it was cut on its way."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        for _ in range(1000):
            asterisk.exchange.call("1002", "1001")
        channels = await link.channels()
    assert len({shown.channel.unique_id for shown in channels}) == 1000


async def test_the_reconciliation_asks_and_events_follow_it() -> None:
    """Events of the time of `on_connected` are kept for afterwards."""
    seen: list[int] = []

    class Reconciler(Owner):
        async def on_connected(self, run: AsteriskRun) -> None:
            asterisk.exchange.call("1002", "1001")
            seen.append(len(await link.channels()))
            await super().on_connected(run)

    owner = Reconciler()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await owner.heard("Newchannel")
    assert seen == [1]
    assert owner.told[:3] == ["connected", "FullyBooted", "Newchannel"]


async def test_a_reconciliation_that_fails_is_done_again() -> None:
    """With another connection."""

    class Reconciler(Owner):
        async def on_connected(self, run: AsteriskRun) -> None:
            await super().on_connected(run)
            if len(self.runs) == 1:
                raise AmiTooSlowError("not this time")

    owner = Reconciler()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
    assert owner.told[:3] == ["connected", "lost: not this time", "connected"]


async def test_a_refused_action_says_why() -> None:
    """In Asterisk's words."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        with pytest.raises(AmiRefusedError, match=r"^Nonsense: Invalid/unknown command") as caught:
            await link.action("Nonsense")
    assert caught.value.action == "Nonsense"


async def test_an_action_that_is_not_answered_has_an_end() -> None:
    """And the connection lives on."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner, action_seconds=0.1) as link:
        await up(link, owner)
        asterisk.silent.add("originate")
        with pytest.raises(AmiTooSlowError, match=r"Originate: no answer in 0\.1 s"):
            await link.action("Originate", {"Channel": "Local/1@x"})
        assert await link.channels() == []
    assert owner.told.count("connected") == 1


async def test_a_cut_connection_fails_what_waits() -> None:
    """At once, and with the reason."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        asterisk.silent.add("originate")
        waiting = asyncio.create_task(link.action("Originate", {"Channel": "Local/1@x"}))
        await owner.until(lambda: asterisk.actions[-1]["action"] == "Originate")
        asterisk.cut()
        with pytest.raises(AmiUnreachableError, match="the connection was lost"):
            await waiting


@pytest.mark.parametrize("value", ["1\r\nAction: Command", "1\n", "\udc80"])
async def test_a_field_cannot_become_another_action(value: str) -> None:
    """Nothing of it is sent."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        sent = len(asterisk.actions)
        with pytest.raises(AmiMessageError, match="Originate has a field"):
            await link.action("Originate", {"Channel": value})
        await link.action("Ping")
        assert len(asterisk.actions) == sent + 1


async def test_a_restarted_asterisk_is_another_run() -> None:
    """And one that was only cut off is the same."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner):
        asterisk.system_name = "pbx1"
        await owner.heard("connected")
        asterisk.cut()
        await owner.heard("connected", 2)
        asterisk.restart()
        await owner.heard("connected", 3)
    assert [run.is_new for run in owner.runs] == [False, False, True]
    assert owner.runs[0] == AsteriskRun("22.10.1", "pbx1", "2024-03-09 16:00:01", is_new=False)


async def test_a_restart_is_not_forgotten_by_a_reconciliation_that_fails() -> None:
    """It is a new run until somebody has drawn the conclusions."""

    class Reconciler(Owner):
        async def on_connected(self, run: AsteriskRun) -> None:
            await super().on_connected(run)
            if len(self.runs) == 2:
                raise AmiTooSlowError("not this time")

    owner = Reconciler()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        asterisk.restart()
        await owner.heard("connected", 3)
    assert [run.is_new for run in owner.runs] == [False, True, True]


async def test_an_asterisk_that_starts_is_waited_for() -> None:
    """It can be logged in to long before it is complete."""
    owner = Owner()
    async with FakeAmi() as asterisk:
        asterisk.is_booted = False
        async with linked(asterisk.port, owner) as link:
            await owner.until(lambda: len(asterisk.actions) == 1)
            assert link.state == "connecting"
            asterisk.boot()
            await up(link, owner)
    assert owner.told[:2] == ["connected", "FullyBooted"]


async def test_a_user_without_the_class_system_is_told_so() -> None:
    """He would never hear of the end of anything."""
    owner = Owner()
    async with FakeAmi() as asterisk:
        asterisk.has_system_class = False
        async with linked(asterisk.port, owner, boot_seconds=0.05) as link:
            await owner.until(lambda: "read = system" in link.last_error)
    assert owner.told == []


async def test_the_last_events_of_a_connection_are_handed_on() -> None:
    """Before its loss is told: a PBX that ends says of every call that it is over."""
    owner = Owner()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner) as link:
        await up(link, owner)
        callers = [asterisk.exchange.call("1002", "1001") for _ in range(500)]
        for caller in callers:
            asterisk.exchange.hang_up(caller, 0)
        asterisk.end_connections()
        await owner.until(lambda: any(told.startswith("lost") for told in owner.told))
    lost = next(index for index, told in enumerate(owner.told) if told.startswith("lost"))
    assert owner.told[:lost].count("Hangup") == 500


async def test_the_measures_tell_how_the_link_stands() -> None:
    """Up or not, the changes, the events by type and their lag."""
    owner, measures = Owner(), Measures()
    async with FakeAmi() as asterisk, linked(asterisk.port, owner, measures=measures) as link:
        assert measures.ami_link_up.values == {("ami",): 0.0}
        await up(link, owner)
        assert measures.ami_link_up.values == {("ami",): 1.0}
        asterisk.exchange.call("1002", "1001")
        asterisk.tell("VarSet", {"Variable": "X", "Value": "1"})
        asterisk.tell("Newexten", {"Extension": "1001"})
        asterisk.exchange.call("1002", "1001")
        await owner.heard("Newchannel", 2)
        asterisk.cut()
        await owner.heard("connected", 2)
    assert measures.ami_events.values[("Newchannel",)] == 2
    assert measures.ami_events.values[("other",)] == 2
    assert measures.ami_link_changes.values[("ami", "lost")] == 1
    assert measures.ami_link_changes.values[("ami", "stopped")] == 1
    assert sum(measures.ami_event_lag_seconds.values[("ami",)].counts) >= 2
    assert isinstance(owner.events[1], Newchannel)


async def test_nobody_there_is_said_and_tried_again() -> None:
    """For ever, and without a word to the owner."""
    owner, measures = Owner(), Measures()
    async with FakeAmi() as asterisk:
        port = asterisk.port
    async with linked(port, owner, measures=measures) as link:
        await owner.until(lambda: measures.ami_link_changes.values.get(("ami", "lost"), 0) >= 5)
        assert f"no connection to 127.0.0.1:{port}" in link.last_error
        asterisk = FakeAmi()
        asterisk.port = port
        async with asterisk:
            await up(link, owner)
    assert owner.told[0] == "connected"


async def test_a_stopped_link_says_so() -> None:
    """And has closed its connection."""
    owner = Owner()
    async with FakeAmi() as asterisk:
        async with linked(asterisk.port, owner) as link:
            await up(link, owner)
        assert link.state == "stopped"
        assert owner.told[-1] == "lost: stopped"
        with pytest.raises(AmiError):
            await link.action("Ping")
        await owner.until(lambda: asterisk.connections == 0)
