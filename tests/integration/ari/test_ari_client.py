"""Every operation over a real connection: what Asterisk is asked, and what its answer means."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from ari_owner import APP, Owner, client_of, linked

from fastagi_server.ari.client import AriClient, open_ari
from fastagi_server.ari.errors import (
    AriAddressError,
    AriConflictError,
    AriEndpointUnavailableError,
    AriNotFoundError,
    AriNotInStasisError,
    AriRefusedError,
    AriServerError,
    AriTooSlowError,
    AriUnreachableError,
)
from fastagi_server.ari.models import Capabilities
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.objects import FakeChannel
from fastagi_server.testing.ari.world import PhoneState


@pytest.fixture
async def fake() -> AsyncGenerator[FakeAri]:
    """Run a fake Asterisk."""
    async with FakeAri() as running:
        yield running


@pytest.fixture
async def client(fake: FakeAri) -> AsyncGenerator[AriClient]:
    """Return a client of it whose application is registered."""
    owner = Owner()
    async with client_of(fake) as opened, linked(opened, owner) as link:
        await owner.until(lambda: link.state == "up")
        yield opened


def asked(fake: FakeAri) -> list[str]:
    """The requests, the event socket's left out."""
    return [str(request) for request in fake.requests if request.path != ("events",)]


def incoming(fake: FakeAri) -> FakeChannel:
    """A call from the dialplan."""
    return fake.channels[fake.calls_in(APP, channel_id="in")]


async def test_asterisk_describes_itself(fake: FakeAri, client: AriClient) -> None:
    """Version, identity, and that it is there."""
    info = await client.info()
    assert (info.version, info.entity_id) == ("22.10.1", "02:00:00:00:00:01")
    await client.ping()
    assert asked(fake) == ["GET asterisk/info", "GET asterisk/ping"]


async def test_capabilities_are_probed(client: AriClient) -> None:
    """From ARI's own description."""
    assert await client.capabilities() == Capabilities(
        progress=True,
        move=True,
        rest_over_socket=True,
        outbound_sockets=True,
        bridge_variables=True,
        call_broadcast=True,
    )


async def test_a_leg_is_created_dialled_and_hung_up(fake: FakeAri, client: AriClient) -> None:
    """The id is ours; the channel is in the application at once."""
    fake.phones["PJSIP/1001"] = PhoneState.ANSWERS
    channel = await client.create_channel(
        "PJSIP/1001",
        app=APP,
        channel_id="sge-1-0",
        app_args="leg,1",
        variables={"SGE_CALL_ID": "1"},
        formats="ulaw",
    )
    assert (channel.id, channel.state) == ("sge-1-0", "Down")
    assert channel.variables["SGE_CALL_ID"] == "1"
    await client.dial("sge-1-0", timeout=20)
    assert (await client.channel("sge-1-0")).state == "Up"
    assert [listed.id for listed in await client.channels()] == ["sge-1-0"]
    await client.hang_up("sge-1-0", cause=21)
    await client.hang_up("sge-1-0")
    assert await client.channels() == []
    with pytest.raises(AriNotFoundError):
        await client.channel("sge-1-0")
    create, dial = fake.requests[1], fake.requests[2]
    assert create.query["appArgs"] == "leg,1"
    assert create.query["formats"] == "ulaw"
    assert "originator" not in create.query
    assert dial.query == {"timeout": "20"}


async def test_an_id_is_taken_once(client: AriClient) -> None:
    """A repeated request makes no second leg."""
    await client.create_channel("PJSIP/1001", app=APP, channel_id="leg")
    with pytest.raises(AriConflictError):
        await client.create_channel("PJSIP/1002", app=APP, channel_id="leg")


@pytest.mark.parametrize("endpoint", ["PJSIP/1009", "PJSIP/1002", "Nothing/1"])
async def test_nobody_to_call(fake: FakeAri, client: AriClient, endpoint: str) -> None:
    """Unknown, unregistered or no such technology: no channel, and a definite no."""
    fake.phones["PJSIP/1002"] = PhoneState.OFFLINE
    for make in (client.create_channel, client.originate):
        with pytest.raises(AriEndpointUnavailableError) as caught:
            await make(endpoint, app=APP, channel_id="leg")
        assert caught.value.outcome_unknown is False
    assert fake.channels == {}


async def test_a_failure_of_another_kind_is_of_unknown_outcome(
    fake: FakeAri, client: AriClient
) -> None:
    """Whoever asked looks by the id that he chose."""
    fake.refuse_next(status=500)
    with pytest.raises(AriServerError) as caught:
        await client.create_channel("PJSIP/1001", app=APP, channel_id="leg")
    assert caught.value.outcome_unknown is True
    with pytest.raises(AriNotFoundError):
        await client.channel("leg")


async def test_originate_enters_on_the_answer(fake: FakeAri, client: AriClient) -> None:
    """With caller id and the time it may ring."""
    channel = await client.originate(
        "PJSIP/1001", app=APP, channel_id="leg", caller_id='"SGE" <100>', timeout=7
    )
    assert (channel.caller_name, channel.caller_number) == ("SGE", "100")
    assert fake.channels["leg"].app == ""
    fake.phone.rings("leg")
    fake.phone.answers("leg")
    assert fake.channels["leg"].app == APP
    assert fake.requests[-1].query["timeout"] == "7"


async def test_an_incoming_call_is_answered(fake: FakeAri, client: AriClient) -> None:
    """Ringing, early media, answer."""
    channel = incoming(fake)
    await client.ring("in")
    await client.ring_stop("in")
    await client.progress("in")
    await client.answer("in")
    assert channel.state == "Up"
    assert asked(fake) == [
        "POST channels/in/ring",
        "DELETE channels/in/ring",
        "POST channels/in/progress",
        "POST channels/in/answer",
    ]


async def test_media_of_a_channel(fake: FakeAri, client: AriClient) -> None:
    """Hold, music, silence, mute, keys: each on and off."""
    channel = incoming(fake)
    await client.hold("in")
    await client.start_music("in", music_class="jazz")
    await client.mute("in")
    await client.mute("in", direction="out")
    await client.start_silence("in")
    await client.send_dtmf("in", "12#")
    assert (channel.held, channel.music, channel.muted) == (True, True, {"in", "out"})
    assert channel.digits == "12#"
    await client.unhold("in")
    await client.stop_music("in")
    await client.unmute("in")
    await client.stop_silence("in")
    assert (channel.held, channel.music, channel.muted) == (False, False, {"out"})
    await client.unmute("in", direction="both")
    assert channel.muted == set()


async def test_sounds(fake: FakeAri, client: AriClient) -> None:
    """To one channel or to a bridge; stopping what is over is as good."""
    incoming(fake)
    await client.create_bridge("b")
    playback = await client.play("in", media="sound:hello", playback_id="p1", language="fr")
    assert (playback.id, playback.target_uri) == ("p1", "channel:in")
    other = await client.play_to_bridge("b", media="sound:hello", playback_id="p2")
    assert (other.media_uri, other.target_uri) == ("sound:hello", "bridge:b")
    for playback_id in ("p1", "p2", "p1", "never"):
        await client.stop_playback(playback_id)
    assert fake.world.playbacks == {}


async def test_recordings(fake: FakeAri, client: AriClient) -> None:
    """Of one channel or of a bridge; stopping what is over is as good."""
    incoming(fake)
    await client.create_bridge("b")
    recording = await client.record("in", name="r1", max_seconds=60, if_exists="overwrite")
    assert (recording.name, recording.format) == ("r1", "wav")
    query = fake.requests[-1].query
    assert (query["maxDurationSeconds"], query["ifExists"], query["beep"]) == (
        "60",
        "overwrite",
        "false",
    )
    other = await client.record_bridge("b", name="r2", audio_format="gsm", beep=True)
    assert (other.format, other.target_uri) == ("gsm", "bridge:b")
    for name in ("r1", "r2", "r1", "never"):
        await client.stop_recording(name)
    assert fake.world.recordings == {}


async def test_a_channel_is_listened_to(fake: FakeAri, client: AriClient) -> None:
    """By a channel of its own."""
    incoming(fake)
    snoop = await client.snoop("in", snoop_id="ear", app=APP, app_args="spy", spy="in")
    assert (snoop.id, snoop.state) == ("ear", "Up")
    with pytest.raises(AriNotFoundError):
        await client.snoop("nobody", snoop_id="ear2", app=APP)


async def test_variables(fake: FakeAri, client: AriClient) -> None:
    """Any text, the empty one too; one that is not set is not there."""
    incoming(fake)
    for value in ("", "a b&c=d", "é\n"):
        await client.set_variable("in", name="WORD", value=value)
        assert await client.variable("in", name="WORD") == value
    with pytest.raises(AriNotFoundError, match="variable was not found"):
        await client.variable("in", name="NOTHING")


async def test_where_a_channel_goes(fake: FakeAri, client: AriClient) -> None:
    """Back to the dialplan, to another phone, to another application."""
    channel = incoming(fake)
    await client.redirect("in", endpoint="PJSIP/1003")
    with pytest.raises(AriRefusedError, match="does not match"):
        await client.redirect("in", endpoint="Local/1@x")
    await client.move("in", app=APP, app_args="again")
    await client.continue_in_dialplan("in", context="lab", extension="wait", priority=1)
    assert (channel.context, channel.exten, channel.app) == ("lab", "wait", "")
    for operation in (client.answer, client.hold, client.continue_in_dialplan):
        with pytest.raises(AriNotInStasisError):
            await operation("in")


async def test_quality(fake: FakeAri, client: AriClient) -> None:
    """Of a channel with RTP; others are refused."""
    incoming(fake)
    assert (await client.rtp_statistics("in")).received_packets == 0
    await client.create_channel("Local/1@lab", app=APP, channel_id="local")
    with pytest.raises(AriRefusedError, match="403"):
        await client.rtp_statistics("local")


async def test_bridges(fake: FakeAri, client: AriClient) -> None:
    """Made once, filled, emptied, ended; taking out and ending twice is as good."""
    incoming(fake)
    bridge = await client.create_bridge("b", type="mixing,dtmf_events", name="a call")
    assert (bridge.id, bridge.type, bridge.name) == ("b", "mixing", "a call")
    with pytest.raises(AriConflictError):
        await client.create_bridge("b")
    await client.add_to_bridge("b", "in", mute=True)
    assert (await client.bridge("b")).channels == ("in",)
    assert fake.bridges["b"].muted == {"in"}
    await client.start_bridge_music("b", music_class="jazz")
    await client.stop_bridge_music("b")
    for channel_id in ("in", "in", "nobody"):
        await client.remove_from_bridge("b", channel_id)
    assert [listed.channels for listed in await client.bridges()] == [()]
    for bridge_id in ("b", "b"):
        await client.destroy_bridge(bridge_id)
    await client.remove_from_bridge("b", "in")
    with pytest.raises(AriNotFoundError):
        await client.bridge("b")


async def test_who_cannot_be_put_into_a_bridge(fake: FakeAri, client: AriClient) -> None:
    """A channel that is gone, one that has not entered yet; a bridge that is gone."""
    await client.create_bridge("b")
    await client.originate("PJSIP/1001", app=APP, channel_id="ringing")
    with pytest.raises(AriNotInStasisError):
        await client.add_to_bridge("b", "ringing")
    with pytest.raises(AriNotFoundError):
        await client.add_to_bridge("b", "nobody")
    with pytest.raises(AriNotFoundError):
        await client.add_to_bridge("nowhere", "ringing")
    assert fake.bridges["b"].channels == []


async def test_a_channel_cannot_be_taken_out_by_a_server_that_fails(
    fake: FakeAri, client: AriClient
) -> None:
    """Only what says that it is out already is as good as success."""
    incoming(fake)
    await client.create_bridge("b")
    for status in (400, 500):
        fake.refuse_next(status=status)
        with pytest.raises(AriRefusedError):
            await client.remove_from_bridge("b", "in")


async def test_a_bridge_that_is_on_its_way_out(fake: FakeAri, client: AriClient) -> None:
    """To be told that no application has it any more is as good as its end."""
    await client.create_bridge("b")
    fake.refuse_next(status=409)
    await client.destroy_bridge("b")


async def test_endpoints(fake: FakeAri, client: AriClient) -> None:
    """All, or one, with their state."""
    fake.phones["PJSIP/1003"] = PhoneState.OFFLINE
    states = {endpoint.resource: endpoint.state for endpoint in await client.endpoints()}
    assert states == {"1001": "online", "1002": "online", "1003": "offline"}
    assert (await client.endpoint("PJSIP", "1003")).state == "offline"
    with pytest.raises(AriNotFoundError):
        await client.endpoint("PJSIP", "1009")


async def test_subscriptions(fake: FakeAri, client: AriClient) -> None:
    """Several sources in one request; what does not exist is refused."""
    incoming(fake)
    await client.create_bridge("b")
    application = await client.subscribe(APP, "channel:in", "bridge:b", "deviceState:PJSIP/1")
    assert application.channel_ids == ("in",)
    assert application.bridge_ids == ("b",)
    assert application.device_names == ("PJSIP/1",)
    application = await client.unsubscribe(APP, "channel:in", "bridge:b")
    assert application.bridge_ids == ()
    with pytest.raises(AriRefusedError, match="not subscribed"):
        await client.unsubscribe(APP, "bridge:b")
    with pytest.raises(AriRefusedError, match="does not exist"):
        await client.subscribe(APP, "channel:nobody")
    with pytest.raises(AriNotFoundError):
        await client.subscribe("nobody", "channel:in")


async def test_objects_are_made_at_run_time(fake: FakeAri, client: AriClient) -> None:
    """A PJSIP endpoint without a file and a reload."""
    await client.put_config("res_pjsip", "auth", "1004", {"username": "1004"})
    assert fake.world.objects == {
        ("res_pjsip", "auth", "1004"): [{"attribute": "username", "value": "1004"}]
    }
    await client.delete_config("res_pjsip", "auth", "1004")
    await client.delete_config("res_pjsip", "auth", "1004")
    assert fake.world.objects == {}


async def test_a_lost_answer_is_of_unknown_outcome(fake: FakeAri, client: AriClient) -> None:
    """The leg exists, and is found by its id."""
    fake.lose_next_answer()
    with pytest.raises(AriTooSlowError):
        await client.create_channel("PJSIP/1001", app=APP, channel_id="leg")
    assert (await client.channel("leg")).id == "leg"


async def test_an_asterisk_that_does_not_answer_in_time() -> None:
    """Sent is sent: the outcome is unknown."""
    async with FakeAri() as fake, client_of(fake, timeout_seconds=0.05) as client:
        fake.stall()
        with pytest.raises(AriTooSlowError):
            await client.create_bridge("b")
        fake.resume()


async def test_an_asterisk_that_is_away() -> None:
    """Nothing was sent, and it is worth another try."""
    async with FakeAri() as fake, client_of(fake) as client:
        await client.ping()
        await fake.stop()
        with pytest.raises(AriUnreachableError) as caught:
            await client.ping()
    assert caught.value.retry_after_seconds == 2.0


async def test_a_wrong_password_is_refused() -> None:
    """With 401, whatever is asked."""
    async with FakeAri() as fake, client_of(fake, password="wrong") as client:
        operations: tuple[Callable[[], Awaitable[object]], ...] = (client.ping, client.channels)
        for operation in operations:
            with pytest.raises(AriRefusedError, match="401"):
                await operation()


async def test_many_operations_at_once(fake: FakeAri, client: AriClient) -> None:
    """A hundred legs, over no more than fifty connections."""
    legs = [
        client.create_channel("PJSIP/1001", app=APP, channel_id=f"leg-{number}")
        for number in range(100)
    ]
    channels = await asyncio.gather(*legs)
    assert len({channel.id for channel in channels}) == 100
    assert len(fake.channels) == 100


async def test_https_always_has_certificates_to_check_against() -> None:
    """Those of the system unless others are given; the event socket uses the same."""
    async with open_ari(
        "https://pbx.example:8089", username="a", password="b", measures=Measures()
    ) as client:
        assert client.ssl_context is not None
        assert client.ssl_context.check_hostname is True
    async with open_ari(
        "http://pbx.example:8088", username="a", password="b", measures=Measures()
    ) as client:
        assert client.ssl_context is None


async def test_an_address_that_is_none_is_told_at_once() -> None:
    """Before anything is opened."""
    with pytest.raises(AriAddressError):
        async with open_ari("pbx", username="a", password="b", measures=Measures()):
            pass
