"""The link over real sockets: up, lost, up again, and what is told of it."""

import asyncio
from datetime import UTC, datetime

import pytest
from ari_owner import APP, Owner, client_of, linked

from fastagi_server.ari.errors import AriError
from fastagi_server.ari.events import StasisStart
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ari.fake import FakeAri


async def test_a_link_comes_up_and_carries_events() -> None:
    """The application exists from then on, and calls enter it."""
    owner, measures = Owner(), Measures()
    async with FakeAri() as fake, client_of(fake) as client:
        assert fake.calls_in(APP) == ""
        async with linked(client, owner, measures=measures) as link:
            await owner.until(lambda: link.state == "up")
            channel_id = fake.calls_in(APP, args="a,b")
            await owner.heard("StasisStart")
        assert link.state == "stopped"
    start = owner.events[0]
    assert isinstance(start, StasisStart)
    assert (start.channel.id, start.args) == (channel_id, ("a", "b"))
    assert owner.told == ["connected", "StasisStart", "lost: stopped"]
    assert measures.ari_link_changes.values == {("ari", "up"): 1.0, ("ari", "stopped"): 1.0}
    assert measures.ari_events.values == {("StasisStart",): 1.0}


async def test_one_socket_serves_several_applications() -> None:
    """An event says which of them it is for."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, applications=("one", "two")) as link,
    ):
        await owner.until(lambda: link.state == "up")
        fake.calls_in("two")
        fake.calls_in("one")
        await owner.heard("StasisStart", 2)
    assert [event.application for event in owner.events] == ["two", "one"]


async def test_a_cut_socket_is_opened_again() -> None:
    """At once, with another reconciliation."""
    owner, measures = Owner(), Measures()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, measures=measures) as link,
    ):
        await owner.until(lambda: link.state == "up")
        fake.cut_sockets()
        await owner.heard("connected", 2)
        await owner.until(lambda: link.state == "up")
        assert measures.ari_link_up.values == {("ari",): 1.0}
        fake.calls_in(APP)
        await owner.heard("StasisStart")
    assert owner.told[0] == "connected"
    assert owner.told[1].startswith("lost: the event socket is lost")
    assert owner.told[2:4] == ["connected", "StasisStart"]
    assert "event socket is lost" in link.last_error


async def test_an_asterisk_that_restarts_is_found_again() -> None:
    """It is another run of it: its startup time is another one."""
    owner = Owner()
    async with FakeAri() as fake, client_of(fake) as client, linked(client, owner) as link:
        await owner.until(lambda: link.state == "up")
        fake.world.started_at = "2026-01-01T00:00:00.000+0000"
        first = (await client.info()).startup_time
        await fake.restart()
        await owner.heard("connected", 2)
        assert (await client.info()).startup_time > first


async def test_an_asterisk_that_is_not_there_is_waited_for() -> None:
    """The link says since when and why, and comes up with Asterisk."""
    owner = Owner()
    fake = FakeAri()
    async with fake:
        url_is_known = fake.url
    before = datetime.now(UTC)
    async with client_of(fake) as client, linked(client, owner) as link:
        await owner.until(lambda: link.last_error != "")
        assert link.last_error.startswith("no event socket: ")
        assert link.since >= before
        assert link.state in {"lost", "connecting"}
        async with fake:
            assert fake.url == url_is_known
            await owner.until(lambda: link.state == "up")


async def test_a_wrong_password_is_told() -> None:
    """Nothing is reconciled with an Asterisk that does not know us."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake, password="wrong") as client,
        linked(client, owner) as link,
    ):
        await owner.until(lambda: "401" in link.last_error)
        assert link.last_error == "no event socket: server rejected WebSocket connection: HTTP 401"
    assert owner.told == []


async def test_an_asterisk_that_answers_no_ping_is_given_up() -> None:
    """A half-open connection looks like silence: the ping tells it from one."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, ping_seconds=0.05) as link,
    ):
        await owner.until(lambda: link.state == "up")
        fake.stall()
        await owner.until(lambda: any(told.startswith("lost: ") for told in owner.told))
        fake.resume()
        await owner.heard("connected", 2)
    assert "keepalive ping timeout" in owner.told[1]


async def test_a_quiet_asterisk_that_answers_pings_is_kept() -> None:
    """No event for a while is no loss."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, ping_seconds=0.02) as link,
    ):
        await owner.until(lambda: link.state == "up")
        up_since = link.since
        for _ in range(20):
            await client.ping()
            await asyncio.sleep(0.01)
        assert (link.state, link.since) == ("up", up_since)


async def test_two_links_of_one_application_do_not_fight() -> None:
    """The first is told that it was replaced, says so, and stays away."""
    first, second, measures = Owner(), Owner(), Measures()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, first, measures=measures) as old,
    ):
        await first.until(lambda: old.state == "up")
        async with linked(client, second) as new:
            await second.until(lambda: new.state == "up")
            await first.until(lambda: old.state == "replaced")
            fake.calls_in(APP)
            await second.heard("StasisStart")
            assert (old.state, new.state) == ("replaced", "up")
    assert old.last_error == f"another socket took the application {APP}"
    assert "StasisStart" not in first.told
    assert measures.ari_link_changes.values["ari", "replaced"] == 1.0


async def test_subscriptions_are_made_before_the_reconciliation() -> None:
    """So that nothing falls between the look at an endpoint and its first event."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, subscriptions=("endpoint:PJSIP/1001",)) as link,
    ):
        await owner.until(lambda: link.state == "up")
        (application,) = await client.applications()
    assert application.endpoint_ids == ("PJSIP/1001",)


async def test_a_refused_subscription_keeps_the_link_down() -> None:
    """It is tried again: half a view of Asterisk is none."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, subscriptions=("channel:nobody",)) as link,
    ):
        await owner.until(lambda: link.last_error != "")
        assert link.last_error == "422 Event source does not exist"
    assert "connected" not in owner.told


async def test_subscribe_all_hears_of_everything() -> None:
    """Also of what no application is concerned with."""
    owner = Owner()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, subscribe_all=True) as link,
    ):
        await owner.until(lambda: link.state == "up")
        await client.create_bridge("b")
        await owner.heard("BridgeCreated")


async def test_garbage_on_the_socket_is_skipped() -> None:
    """Frames that are no events change nothing."""
    owner, measures = Owner(), Measures()
    async with (
        FakeAri() as fake,
        client_of(fake) as client,
        linked(client, owner, measures=measures) as link,
    ):
        await owner.until(lambda: link.state == "up")
        fake.send_raw(APP, "not json")
        fake.replay(APP, [{"type": "SomethingNew", "application": APP}])
        await owner.heard("UnknownEvent")
    assert measures.drops.values == {("ari_event_unreadable",): 1.0}


async def test_a_message_beyond_a_megabyte_ends_the_socket() -> None:
    """No peer can make us hold more than that."""
    owner = Owner()
    async with FakeAri() as fake, client_of(fake) as client, linked(client, owner) as link:
        await owner.until(lambda: link.state == "up")
        fake.send_raw(APP, "x" * 1_048_577)
        await owner.heard("connected", 2)
    assert "1009" in owner.told[1]


async def test_a_thousand_events_arrive_in_order() -> None:
    """As fast as the socket gives them."""
    owner = Owner()
    async with FakeAri() as fake, client_of(fake) as client, linked(client, owner) as link:
        await owner.until(lambda: link.state == "up")
        ids = [fake.calls_in(APP) for _ in range(1000)]
        await owner.until(lambda: len(owner.events) == 1000)
    assert [e.channel.id for e in owner.events if isinstance(e, StasisStart)] == ids


async def test_a_reconciliation_sees_what_is_there() -> None:
    """Operations work within `on_connected`, and events of that time follow it."""
    seen: list[str] = []

    class Reconciler(Owner):
        async def on_connected(self) -> None:
            fake.calls_in(APP, channel_id="late")
            seen.extend(channel.id for channel in await client.channels())
            await super().on_connected()

    owner = Reconciler()
    async with FakeAri() as fake, client_of(fake) as client, linked(client, owner) as link:
        await owner.until(lambda: link.state == "up")
    assert seen == ["late"]
    assert owner.told[:2] == ["connected", "StasisStart"]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_reconciliation_that_fails_is_done_again(status: int) -> None:
    """With another socket."""

    class Reconciler(Owner):
        async def on_connected(self) -> None:
            await super().on_connected()
            await client.channels()

    owner = Reconciler()
    async with FakeAri() as fake, client_of(fake) as client:
        fake.refuse_next(status=status)
        async with linked(client, owner) as link:
            await owner.until(lambda: link.state == "up")
    assert owner.told[:3] == ["connected", f"lost: {status} Injected fault", "connected"]


async def test_the_client_works_whatever_the_link_does() -> None:
    """Operations fail or succeed by themselves."""
    async with FakeAri() as fake, client_of(fake) as client:
        await client.ping()
        fake.cut_sockets()
        await client.ping()
        await fake.stop()
        with pytest.raises(AriError):
            await client.ping()
