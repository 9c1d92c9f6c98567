"""The ARI scenes that the fake must play as Asterisk does. Each returns what is compared."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from ari_stage import APPS, Stage, outcome

from fastagi_server.ari.errors import AriError
from fastagi_server.ari.events import (
    ChannelDestroyed,
    ChannelEnteredBridge,
    ChannelLeftBridge,
    StasisEnd,
    StasisStart,
)
from fastagi_server.testing.ari.world import PhoneState

Told = dict[str, list[str]]
Scene = Callable[[Stage], Awaitable[Told]]

ONE, TWO = APPS
PHONE = "PJSIP/1001"


def _told(stage: Stage, *channel_ids: str) -> Told:
    told: Told = {}
    for channel_id in channel_ids:
        told[channel_id] = stage.watcher.story(channel_id)
        # Asterisk sends the first of them before or after the next, as it happens.
        told[f"dial {channel_id}"] = sorted(stage.watcher.dialling(channel_id))
    return told


async def _create(stage: Stage, channel_id: str, *, rings_seconds: int = 30) -> None:
    """Create a leg in the first application and call its phone."""
    await stage.client.create_channel(PHONE, app=ONE, channel_id=channel_id, app_args="a,b")
    await stage.watcher.kind(StasisStart, channel_id)
    await stage.client.dial(channel_id, timeout=rings_seconds)


async def answered(stage: Stage) -> Told:
    """Create, dial, answer, bridge; then we hang up with a cause."""
    await stage.phone(PhoneState.ANSWERS)
    await _create(stage, "leg")
    await stage.watcher.dial_status("leg", "ANSWER")
    await stage.client.create_bridge("meeting", name="of one")
    await stage.client.add_to_bridge("meeting", "leg")
    await stage.watcher.kind(ChannelEnteredBridge, "leg")
    await stage.client.hang_up("leg", cause=17)
    await stage.watcher.kind(ChannelDestroyed, "leg")
    await stage.client.destroy_bridge("meeting")
    return _told(stage, "leg")


async def phone_hangs_up(stage: Stage) -> Told:
    """The phone answers and hangs up in the bridge."""
    await stage.phone_that_hangs_up()
    await _create(stage, "leg")
    await stage.watcher.dial_status("leg", "ANSWER")
    await stage.client.create_bridge("meeting")
    await stage.client.add_to_bridge("meeting", "leg")
    await stage.after_answer("leg")
    await stage.watcher.kind(ChannelDestroyed, "leg")
    await stage.client.destroy_bridge("meeting")
    return _told(stage, "leg")


async def busy(stage: Stage) -> Told:
    """The phone refuses with 486."""
    await stage.phone(PhoneState.BUSY)
    await _create(stage, "leg")
    await stage.watcher.kind(ChannelDestroyed, "leg")
    return _told(stage, "leg")


async def not_answered(stage: Stage) -> Told:
    """The phone rings until the time is over."""
    await stage.phone(PhoneState.RINGS)
    await _create(stage, "leg", rings_seconds=1)
    await stage.watcher.kind(ChannelDestroyed, "leg")
    return _told(stage, "leg")


async def cancelled(stage: Stage) -> Told:
    """We give up while the phone rings, in a bridge already for early media."""
    await stage.phone(PhoneState.RINGS)
    await _create(stage, "leg")
    await stage.watcher.dial_status("leg", "RINGING")
    await stage.watcher.state("leg", "Ringing")
    await stage.client.create_bridge("early")
    await stage.client.add_to_bridge("early", "leg")
    await stage.watcher.kind(ChannelEnteredBridge, "leg")
    await stage.client.hang_up("leg")
    await stage.watcher.kind(ChannelDestroyed, "leg")
    await stage.client.destroy_bridge("early")
    return _told(stage, "leg")


async def originated(stage: Stage) -> Told:
    """Originate: the application is entered on the answer; then on to the second, and out."""
    await stage.phone(PhoneState.ANSWERS)
    await stage.client.originate(PHONE, app=ONE, channel_id="leg", app_args="x")
    await stage.watcher.kind(StasisStart, "leg")
    await stage.client.move("leg", app=TWO, app_args="y")
    await stage.watcher.until(lambda e: isinstance(e, StasisStart) and e.args == ("y",))
    await stage.watcher.until(lambda e: isinstance(e, StasisEnd) and e.application == ONE)
    await stage.client.continue_in_dialplan("leg", context="lab", extension="wait", priority=1)
    await stage.watcher.until(lambda e: isinstance(e, StasisEnd) and e.application == TWO)
    await stage.client.hang_up("leg", cause=21)
    await stage.watcher.kind(ChannelDestroyed, "leg")
    told = _told(stage, "leg")
    # Asterisk tells of leaving the first application before or after entering the second.
    told["leg"].remove(f"StasisEnd {ONE}")
    return told


async def originate_busy(stage: Stage) -> Told:
    """Originate to a phone that refuses."""
    await stage.phone(PhoneState.BUSY)
    await stage.client.originate(PHONE, app=ONE, channel_id="leg")
    await stage.watcher.kind(ChannelDestroyed, "leg")
    return _told(stage, "leg")


async def originate_not_answered(stage: Stage) -> Told:
    """Originate to a phone that rings for too long."""
    await stage.phone(PhoneState.RINGS)
    await stage.client.originate(PHONE, app=ONE, channel_id="leg", timeout=1)
    await stage.watcher.kind(ChannelDestroyed, "leg")
    return _told(stage, "leg")


async def two_meet(stage: Stage) -> Told:
    """Two legs in a bridge, one moved to another bridge, one taken out; a bridge ends under one."""
    client, watcher = stage.client, stage.watcher
    for channel_id in ("one", "two"):
        await client.create_channel("Local/wait@lab", app=ONE, channel_id=channel_id)
        await watcher.kind(StasisStart, channel_id)
        await client.dial(channel_id)
        await watcher.dial_status(channel_id, "ANSWER")
    await client.create_bridge("first")
    await client.create_bridge("second", type="holding")
    await client.add_to_bridge("first", "one", "two")
    await watcher.kind(ChannelEnteredBridge, "two")
    await client.add_to_bridge("second", "one", role="participant")
    await watcher.until(lambda e: isinstance(e, ChannelEnteredBridge) and e.bridge.id == "second")
    results = [await outcome(client.remove_from_bridge("first", "two")) for _ in range(2)]
    await client.destroy_bridge("second")
    await watcher.until(lambda e: isinstance(e, ChannelLeftBridge) and e.bridge.id == "second")
    for channel_id in ("one", "two"):
        await client.hang_up(channel_id)
        await watcher.kind(ChannelDestroyed, channel_id)
    await client.destroy_bridge("first")
    return {**_told(stage, "one", "two"), "removed": results}


async def comes_in(stage: Stage) -> Told:
    """A call from the dialplan, which nobody is subscribed to: its end is that of Stasis."""
    channel_id = await stage.call_in("77")
    await stage.client.hang_up(channel_id)
    await stage.watcher.kind(StasisEnd, channel_id)
    return {"in": stage.watcher.story(channel_id)}


async def comes_in_watched(stage: Stage) -> Told:
    """A call from the dialplan, subscribed to: answered, bridged, hung up by us."""
    channel_id = await stage.call_in("77")
    await stage.client.subscribe(ONE, f"channel:{channel_id}")
    await stage.client.ring(channel_id)
    await stage.client.ring_stop(channel_id)
    await stage.client.answer(channel_id)
    await stage.client.answer(channel_id)
    await stage.client.create_bridge("meeting")
    await stage.client.add_to_bridge("meeting", channel_id)
    await stage.watcher.kind(ChannelEnteredBridge, channel_id)
    await stage.client.hang_up(channel_id)
    await stage.watcher.kind(ChannelDestroyed, channel_id)
    await stage.client.destroy_bridge("meeting")
    # The other half of a Local channel asks for what is under way already.
    told = stage.watcher.story(channel_id)
    return {"in": [line for line in told if line != "ChannelHangupRequest 16"]}


async def refusals_of_channels(stage: Stage) -> Told:
    """Each mistake with channels, and the words it is refused with."""
    client = stage.client
    told = [
        await outcome(client.create_channel("PJSIP/1009", app=ONE, channel_id="x")),
        await outcome(client.create_channel("Nothing/1", app=ONE, channel_id="x")),
        await outcome(client.originate(PHONE, app=ONE, channel_id="x")),
        await outcome(client.create_channel("Local/wait@lab", app=ONE, channel_id="leg")),
    ]
    await stage.watcher.kind(StasisStart, "leg")
    told += [
        await outcome(client.create_channel("Local/wait@lab", app=ONE, channel_id="leg")),
        await outcome(client.answer("leg")),
        await outcome(client.hold("leg")),
        await outcome(client.variable("leg", name="NOTHING")),
        await outcome(client.set_variable("leg", name="WORD", value='a b&"')),
        await client.variable("leg", name="WORD"),
        await outcome(client.set_variable("leg", name="WORD", value="")),
        await client.variable("leg", name="WORD"),
        await outcome(client.rtp_statistics("leg")),
        await outcome(client.dial("leg")),
    ]
    await stage.watcher.dial_status("leg", "ANSWER")
    told += [
        await outcome(client.dial("leg")),
        await outcome(client.redirect("leg", endpoint=PHONE)),
        await outcome(client.continue_in_dialplan("leg", context="lab", extension="wait")),
    ]
    await stage.watcher.kind(StasisEnd, "leg")
    told += [
        await outcome(client.answer("leg")),
        await outcome(client.move("leg", app=TWO)),
        await outcome(client.hang_up("leg")),
    ]
    await stage.watcher.kind(ChannelDestroyed, "leg")
    for operation in (client.channel, client.answer, client.hang_up, client.rtp_statistics):
        told.append(await outcome(operation("leg")))
    told.append(await outcome(client.variable("leg", name="WORD")))
    return {"refused": told}


async def refusals_of_bridges(stage: Stage) -> Told:
    """Each mistake with bridges and the rest, and the words it is refused with."""
    client = stage.client
    await client.create_channel("Local/wait@lab", app="nobody-serves-this", channel_id="gone")
    told = [
        await outcome(client.create_bridge("board")),
        await outcome(client.create_bridge("board")),
        await outcome(client.create_bridge("bad", type="dtmf_events")),
        await outcome(client.create_bridge("good", type="mixing,dtmf_events")),
        await outcome(client.add_to_bridge("board", "nobody")),
        await outcome(client.add_to_bridge("nowhere", "nobody")),
        await outcome(client.destroy_bridge("board")),
        await outcome(client.destroy_bridge("board")),
        await outcome(client.bridge("nowhere")),
        await outcome(client.destroy_bridge("good")),
        await outcome(client.endpoint("PJSIP", "1009")),
        await outcome(client.subscribe("nobody-serves-this", "channel:x")),
        await outcome(client.subscribe(ONE, "channel:nobody")),
        await outcome(client.subscribe(ONE, "endpoint:PJSIP/1001")),
        await outcome(client.unsubscribe(ONE, "endpoint:PJSIP/1001")),
        await outcome(client.unsubscribe(ONE, "endpoint:PJSIP/1001")),
        await outcome(client.stop_playback("nothing")),
        await outcome(client.stop_recording("nothing")),
    ]
    with suppress(AriError):
        told.append((await client.channel("gone")).id)
    return {"refused": told}


SCENES: tuple[Scene, ...] = (
    answered,
    phone_hangs_up,
    busy,
    not_answered,
    cancelled,
    originated,
    originate_busy,
    originate_not_answered,
    two_meet,
    comes_in,
    comes_in_watched,
    refusals_of_channels,
    refusals_of_bridges,
)
