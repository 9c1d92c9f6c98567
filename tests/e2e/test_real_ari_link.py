"""The link to the real Asterisk: lost, replaced, restarted; and what only that can prove."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from ari_stage import DIALPLAN, WAIT_SECONDS

from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.errors import AriNotFoundError, AriRefusedError
from fastagi_server.ari.events import ChannelDestroyed, Event, StasisStart
from fastagi_server.ari.link import AriLink
from fastagi_server.ari.models import AsteriskInfo, Capabilities
from fastagi_server.ari.subjects import channels_of
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.proxy import TcpProxy
from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk

APP = "scene-one"

WIZARDS = """
[res_pjsip]
endpoint/config = config,pjsip.conf,criteria=type=endpoint
endpoint/live = memory
aor/config = config,pjsip.conf,criteria=type=aor
aor/live = memory
"""


@pytest.fixture(scope="module")
def shared_pbx(lab_root: Root) -> Iterator[Asterisk]:
    """Run one Asterisk for the tests of this module."""
    with Asterisk.start(extensions=DIALPLAN, root=lab_root) as running:
        yield running


@pytest.fixture
def pbx(shared_pbx: Asterisk) -> Iterator[Asterisk]:
    """Return it, and afterwards leave it without a channel."""
    yield shared_pbx
    for channel in shared_pbx.control.channels():
        shared_pbx.control.hang_up(channel["id"])
    assert shared_pbx.wait_idle()


@dataclass
class Owner:
    """Takes what the link says, and looks at Asterisk at every connect."""

    client: AriClient
    events: list[Event] = field(default_factory=list[Event])
    losses: list[str] = field(default_factory=list[str])
    runs: list[AsteriskInfo] = field(default_factory=list[AsteriskInfo])

    async def on_connected(self) -> None:
        """Reconcile."""
        self.runs.append(await self.client.info())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():  # noqa: ASYNC110 - conditions are of many kinds
                await asyncio.sleep(0.02)


@asynccontextmanager
async def linked(pbx: Asterisk, port: int = 0) -> AsyncGenerator[tuple[AriLink, Owner]]:
    """A link that is up, over `port` when one is given."""
    measures = Measures()
    async with open_ari(
        f"http://127.0.0.1:{port or pbx.ports.http}",
        username=pbx.control.user,
        password=pbx.passwords["ari"],
        measures=measures,
    ) as client:
        owner = Owner(client)
        link = AriLink(
            client,
            applications=(APP,),
            on_event=owner.events.append,
            on_connected=owner.on_connected,
            on_lost=owner.losses.append,
            measures=measures,
            ping_seconds=0.5,
        )
        task = asyncio.create_task(link.run())
        try:
            await owner.until(lambda: link.state == "up")
            yield link, owner
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_this_asterisk_can_do_all_there_is(pbx: Asterisk) -> None:
    """22.10 describes everything that is probed for."""
    async with linked(pbx) as (_, owner):
        capabilities = await owner.client.capabilities()
        await owner.client.ping()
    assert capabilities == Capabilities(
        progress=True,
        move=True,
        rest_over_socket=True,
        outbound_sockets=True,
        bridge_variables=True,
        call_broadcast=True,
    )
    assert owner.runs[0].version.startswith("22.")


async def test_pings_keep_a_quiet_socket_and_crash_nothing(pbx: Asterisk) -> None:
    """Asterisk answers ours; it is sent no pong that it did not ask for."""
    async with linked(pbx) as (link, owner):
        since = link.since
        await asyncio.sleep(2.5)  # five pings
        assert (link.state, link.since, owner.losses) == ("up", since, [])


async def test_a_second_link_replaces_the_first(pbx: Asterisk) -> None:
    """Which says so and stays away, while calls go to the second."""
    async with linked(pbx) as (first, losing), linked(pbx) as (second, winning):
        await losing.until(lambda: first.state == "replaced")
        await winning.client.create_channel("Local/wait@lab", app=APP, channel_id="one")
        await winning.until(lambda: any(isinstance(e, StasisStart) for e in winning.events))
        assert (first.state, second.state) == ("replaced", "up")
        await winning.client.hang_up("one")
    assert losing.losses == [f"another socket took the application {APP}"]
    assert not [event for event in losing.events if isinstance(event, StasisStart)]


async def test_a_cut_socket_loses_the_application_and_nothing_else(pbx: Asterisk) -> None:
    """Calls live on; what ended in the gap is seen by looking, and new events come again."""
    async with (
        TcpProxy("127.0.0.1", pbx.ports.http) as proxy,
        linked(pbx, proxy.port) as (link, owner),
    ):
        for channel_id in ("stays", "ends"):
            await owner.client.create_channel("Local/wait@lab", app=APP, channel_id=channel_id)
            await owner.client.subscribe(APP, f"channel:{channel_id}")
        proxy.cut()
        await owner.until(lambda: len(owner.losses) == 1)
        await owner.until(lambda: link.state == "up" and len(owner.runs) == 2)
        assert {channel.id for channel in await owner.client.channels()} >= {"stays"}
        await owner.client.subscribe(APP, "channel:stays")
        await owner.client.hang_up("ends")
        await owner.client.hang_up("stays", cause=17)
        await owner.until(lambda: _causes(owner.events).get("stays") == 17)
        assert owner.runs[0].startup_time == owner.runs[1].startup_time


async def test_a_silent_network_is_noticed(pbx: Asterisk) -> None:
    """Within two pings, though the connection looks open."""
    async with (
        TcpProxy("127.0.0.1", pbx.ports.http) as proxy,
        linked(pbx, proxy.port) as (link, owner),
    ):
        proxy.stall()
        await owner.until(lambda: len(owner.losses) == 1)
        assert "ping" in owner.losses[0]
        proxy.resume()
        await owner.until(lambda: link.state == "up")


async def test_objects_need_a_writable_wizard(pbx: Asterisk) -> None:
    """Without one in sorcery.conf, Asterisk refuses in words."""
    async with linked(pbx) as (_, owner):
        with pytest.raises(AriRefusedError) as caught:
            await owner.client.put_config("res_pjsip", "aor", "1009", {"max_contacts": "2"})
        await owner.client.delete_config("no_such", "type", "x")
    assert caught.value.status == 403


async def test_a_restarted_asterisk_is_another_run(lab_root: Root) -> None:
    """Its startup time says that every id of before is void."""
    with Asterisk.start(root=lab_root, extensions=DIALPLAN) as pbx:
        async with linked(pbx) as (link, owner):
            await owner.client.create_channel("Local/wait@lab", app=APP, channel_id="void")
            await asyncio.to_thread(pbx.cli, "core restart now")
            await owner.until(lambda: len(owner.losses) >= 1)
            await owner.until(lambda: link.state == "up" and len(owner.runs) >= 2)
            assert owner.runs[-1].startup_time > owner.runs[0].startup_time
            assert owner.runs[-1].entity_id == owner.runs[0].entity_id
            with pytest.raises(AriNotFoundError):
                await owner.client.channel("void")


async def test_an_endpoint_is_made_at_run_time(lab_root: Root) -> None:
    """With a writable wizard: no file, no reload, and it can be seen and called at once."""
    with Asterisk.start(root=lab_root) as pbx:
        (pbx.folder / "etc/sorcery.conf").write_text(WIZARDS)
        async with linked(pbx) as (link, owner):
            await asyncio.to_thread(pbx.cli, "core restart now")
            await owner.until(lambda: len(owner.runs) >= 2 and link.state == "up")
            client = owner.client
            await client.put_config("res_pjsip", "aor", "1009", {"max_contacts": "2"})
            fields = {"aors": "1009", "allow": "ulaw", "context": "sky-genesis-voip"}
            await client.put_config("res_pjsip", "endpoint", "1009", fields)
            assert (await client.endpoint("PJSIP", "1009")).state == "offline"
            for kind in ("endpoint", "endpoint", "aor"):
                await client.delete_config("res_pjsip", kind, "1009")


def _causes(events: list[Event]) -> dict[str, int]:
    return {
        channels_of(event)[0].id: event.cause
        for event in events
        if isinstance(event, ChannelDestroyed)
    }
