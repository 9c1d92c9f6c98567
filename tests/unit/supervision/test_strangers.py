"""Channels that reached an extension without being registered are reported, and no others."""

import pytest
from structlog.testing import capture_logs
from watched import NOON, RUN, Scene, answers, at, bridge, channel, dials, hangs_up

from fastagi_server.ami import events
from fastagi_server.calls.models import CallStatus


async def reported(scene: Scene) -> list[str]:
    """Let the grace pass; the channels that are reported then."""
    scene.clock.seconds += 10
    await scene.turn()
    return [stranger.unique_id for stranger in scene.supervision.not_registered()]


@pytest.fixture
async def scene() -> Scene:
    """A supervision of the context sky-genesis-voip."""
    scene = Scene()
    await scene.supervision.connected(RUN)
    return scene


async def test_a_call_that_nobody_registered(scene: Scene) -> None:
    """It is reported when its time is over, once, and shown until it ends."""
    await scene.happen(dials(1, 1), answers(1, 2))
    scene.clock.seconds = 9
    await scene.turn()
    assert scene.supervision.not_registered() == []
    with capture_logs() as lines:
        assert await reported(scene) == ["17.0"]
    assert [line["extension"] for line in lines] == ["1001"]  # under a name that is masked
    assert await reported(scene) == ["17.0"]
    (stranger,) = scene.supervision.not_registered()
    assert (stranger.name, stranger.context, stranger.exten) == (
        "PJSIP/1000-00000000",
        "sky-genesis-voip",
        "1001",
    )
    assert scene.measures.calls_not_registered.values == {(): 1}
    await scene.happen(hangs_up(0, 30))
    assert await reported(scene) == []


async def test_a_short_call_is_reported_as_well(scene: Scene) -> None:
    """Though it is over when its time has come, and is not shown as live."""
    await scene.happen(dials(1, 1), hangs_up(0, 2))
    assert await reported(scene) == []
    assert scene.measures.calls_not_registered.values == {(): 1}


async def test_a_registered_call(scene: Scene) -> None:
    """The records are asked once more before anybody is alarmed."""
    await scene.happen(dials(1, 1))
    scene.book.register(0)
    assert await reported(scene) == []
    assert scene.measures.calls_not_registered.values == {}


async def test_registered_after_the_report(scene: Scene) -> None:
    """It is shown no more."""
    await scene.happen(dials(1, 1))
    assert await reported(scene) == ["17.0"]
    scene.book.register(0, CallStatus.INITIATING)
    await scene.supervision.ask_again()
    assert scene.supervision.not_registered() == []


async def test_nobody_is_reported_while_the_records_cannot_be_read(scene: Scene) -> None:
    """They are asked again after another such time."""
    await scene.happen(dials(1, 1))
    scene.book.is_away = True
    scene.clock.seconds = 10
    with pytest.raises(Exception, match="the store is closed"):
        await scene.supervision.turn()
    scene.book.is_away = False
    assert await reported(scene) == ["17.0"]


async def test_what_we_lead(scene: Scene) -> None:
    """A channel of a live call of ours is known."""
    scene.led.add("17.0")
    await scene.happen(dials(1, 1))
    assert await reported(scene) == []


@pytest.mark.parametrize(
    "event",
    [
        events.Newchannel(NOON, "", channel(0)),
        events.BridgeEnter(NOON, "", bridge("sge-room-1", "stasis"), channel(0), ""),
        events.BridgeEnter(NOON, "", bridge("b", "stasis"), channel(0), ""),
        events.DialBegin(NOON, "", channel(0, name="Local/1001@x-00000000;2"), channel(1), ""),
        events.DialBegin(NOON, "", channel(0, context="elsewhere"), channel(1), ""),
        events.DialBegin(NOON, "", None, channel(0), ""),
    ],
    ids=["new", "room", "stasis", "local", "context", "originate"],
)
async def test_no_alarm(scene: Scene, event: events.Event) -> None:
    """A channel that only exists, is led by an application, or is not meant, is no stranger."""
    await scene.happen(event)
    assert await reported(scene) == []
    assert scene.measures.calls_not_registered.values == {}


async def test_a_called_phone_is_no_stranger(scene: Scene) -> None:
    """Its caller is registered, and it is in the bridge as well."""
    scene.book.register(0)
    talk = events.BridgeEnter(at(2), "", bridge(), channel(1), "")
    await scene.happen(dials(1, 1), talk)
    assert await reported(scene) == []


async def test_every_context() -> None:
    """The star means all of them."""
    scene = Scene(contexts=("*",))
    await scene.supervision.connected(RUN)
    caller = channel(0, context="elsewhere")
    await scene.happen(events.DialBegin(NOON, "", caller, channel(1), ""))
    assert await reported(scene) == ["17.0"]
