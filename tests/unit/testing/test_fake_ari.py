"""The fake Asterisk itself: what its handles do, and what its events and answers look like."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.objects import FakeChannel, timestamp
from fastagi_server.testing.ari.world import PhoneState

LOGIN = base64.b64encode(b"sky-genesis:fake-ari-password").decode()
HEADERS = {"Authorization": f"Basic {LOGIN}"}


@asynccontextmanager
async def http(fake: FakeAri) -> AsyncGenerator[httpx.AsyncClient]:
    """An ordinary HTTP client, so that the fake is not judged by our own."""
    async with httpx.AsyncClient(base_url=fake.url, headers=HEADERS) as client:
        yield client


@asynccontextmanager
async def events_of(
    fake: FakeAri, applications: str = "app", more: str = ""
) -> AsyncGenerator[ClientConnection]:
    """An ordinary event socket."""
    url = f"{fake.url.replace('http', 'ws')}/events?app={applications}{more}"
    async with connect(url, additional_headers=HEADERS, proxy=None) as socket:
        while applications.split(",", maxsplit=1)[0] not in fake.world.sockets:  # noqa: ASYNC110
            await asyncio.sleep(0)
        yield socket


async def received(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    """The next events."""
    async with asyncio.timeout(5):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def names(socket: ClientConnection, count: int) -> list[str]:
    """The types of the next events."""
    return [event["type"] for event in await received(socket, count)]


def test_instants_are_written_as_asterisk_does() -> None:
    """Milliseconds and a zone without a colon."""
    assert len(timestamp()) == len("2026-11-23T00:00:16.871+0000")
    assert timestamp().endswith("+0000")


async def test_a_phone_that_answers_does_so_by_itself() -> None:
    """Created, in the application, dialled, ringing, up."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        fake.phones["PJSIP/1001"] = PhoneState.ANSWERS
        query = {"endpoint": "PJSIP/1001", "app": "app", "appArgs": "a,b", "channelId": "x"}
        answer = await client.post("/channels/create", params=query)
        assert (answer.status_code, answer.json()["id"]) == (200, "x")
        assert (await client.post("/channels/x/dial")).status_code == 204
        told = await received(socket, 7)
    assert [event["type"] for event in told] == [
        "ChannelCreated",
        "StasisStart",
        "Dial",
        "ChannelStateChange",
        "Dial",
        "ChannelStateChange",
        "Dial",
    ]
    assert told[1]["args"] == ["a", "b"]
    assert [event["dialstatus"] for event in told if event["type"] == "Dial"] == [
        "",
        "RINGING",
        "ANSWER",
    ]
    assert {event["application"] for event in told} == {"app"}


async def test_a_manual_phone_does_what_the_test_says() -> None:
    """Rings, answers, presses, holds, hangs up."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        query = {"endpoint": "PJSIP/1001", "app": "app", "channelId": "x"}
        await client.post("/channels/create", params=query)
        await client.post("/channels/x/dial")
        await received(socket, 3)
        fake.phone.rings("x")
        fake.phone.answers("x")
        fake.phone.presses("x", "1#")
        fake.phone.holds("x")
        fake.phone.unholds("x")
        fake.phone.hangs_up("x", cause=16)
        assert await names(socket, 11) == [
            "ChannelStateChange",
            "Dial",
            "ChannelStateChange",
            "Dial",
            "ChannelDtmfReceived",
            "ChannelDtmfReceived",
            "ChannelHold",
            "ChannelUnhold",
            "ChannelHangupRequest",
            "StasisEnd",
            "ChannelDestroyed",
        ]
        assert fake.channels == {}


async def test_a_phone_that_rings_too_long_is_given_up() -> None:
    """After the seconds of the request, or when the test says so."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        fake.phones["PJSIP/1001"] = PhoneState.RINGS
        query = {"endpoint": "PJSIP/1001", "app": "app", "channelId": "x", "timeout": "30"}
        await client.post("/channels", params=query)
        fake.phone.times_out("x")
        told = await received(socket, 5)
    assert told[-1]["type"] == "ChannelDestroyed"
    assert told[-1]["cause"] == 19


@pytest.mark.parametrize(("cause", "status"), [(17, "BUSY"), (21, "CONGESTION")])
async def test_a_phone_refuses(cause: int, status: str) -> None:
    """Busy, or with another cause; an originated call is told of it as a Dial."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        query = {"endpoint": "PJSIP/1001", "app": "app", "channelId": "x"}
        await client.post("/channels", params=query)
        fake.phone.refuses("x", cause=cause)
        told = await received(socket, 5)
    assert [event["type"] for event in told[1:]] == [
        "Dial",
        "ChannelHangupRequest",
        "Dial",
        "ChannelDestroyed",
    ]
    assert told[3]["dialstatus"] == status
    assert told[4]["cause"] == cause


async def test_a_busy_asterisk_lets_a_channel_enter_late() -> None:
    """Until its StasisStart it can be neither dialled nor bridged; it may be gone by then."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        fake.hold_entries()
        await client.post("/bridges", params={"type": "mixing", "bridgeId": "b"})
        for channel_id in ("x", "y"):
            query = {"endpoint": "PJSIP/1001", "app": "app", "channelId": channel_id}
            assert (await client.post("/channels/create", params=query)).status_code == 200
        assert (await client.post("/channels/x/dial")).status_code == 409
        joining = await client.post("/bridges/b/addChannel", params={"channel": "x"})
        assert joining.status_code == 422
        await client.delete("/channels/y")
        fake.release_entries()
        assert (await client.post("/channels/x/dial")).status_code == 204
        assert await names(socket, 6) == [
            "ChannelCreated",
            "ChannelCreated",
            "ChannelHangupRequest",
            "ChannelDestroyed",
            "StasisStart",
            "Dial",
        ]


async def test_calls_from_the_dialplan_need_somebody_who_serves_them() -> None:
    """Without a socket the dialplan goes on: STASISSTATUS is FAILED."""
    async with FakeAri() as fake:
        assert fake.calls_in("app") == ""
        async with events_of(fake) as socket:
            channel_id = fake.calls_in("app", args="1", variables={"SGE_CALL_ID": "c"})
            (start,) = await received(socket, 1)
        assert start["channel"]["id"] == channel_id
        assert start["channel"]["channelvars"] == {"SGE_CALL_ID": "c", "SGE_STATUS": ""}
        assert start["channel"]["state"] == "Ring"


async def test_a_lost_socket_takes_its_application_along() -> None:
    """What was in it stays in it, without a word to anybody."""
    async with FakeAri() as fake:
        async with events_of(fake) as socket:
            channel_id = fake.calls_in("app")
            fake.cut_sockets()
            with pytest.raises(ConnectionClosed):
                await received(socket, 2)
        assert fake.calls_in("app") == ""
        assert fake.channels[channel_id].app == "app"


async def test_the_second_socket_of_an_application_replaces_the_first() -> None:
    """The first is told, once, and hears no more."""
    async with (
        FakeAri() as fake,
        events_of(fake, "app,other") as first,
        events_of(fake) as second,
    ):
        assert await names(first, 1) == ["ApplicationReplaced"]
        fake.calls_in("app")
        fake.calls_in("other")
        assert await names(second, 1) == ["StasisStart"]
        assert await names(first, 1) == ["StasisStart"]


async def test_faults_are_given_in_order_and_once_each() -> None:
    """Refusals without effect, an answer that is lost after one."""
    async with FakeAri() as fake, http(fake) as client:
        fake.refuse_next(2, status=503)
        fake.lose_next_answer()
        query = {"type": "mixing", "bridgeId": "b"}
        for _ in range(2):
            assert (await client.post("/bridges", params=query)).status_code == 503
        assert fake.bridges == {}
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/bridges", params=query)
        assert list(fake.bridges) == ["b"]
        assert (await client.post("/bridges", params=query)).status_code == 409


async def test_a_stalled_asterisk_answers_when_it_resumes() -> None:
    """Requests wait, and are done then."""
    async with FakeAri() as fake, http(fake) as client:
        fake.stall()
        waiting = asyncio.create_task(client.get("/asterisk/ping"))
        while not fake.requests:  # noqa: ASYNC110 - the list has no event
            await asyncio.sleep(0)
        assert not waiting.done()
        fake.resume()
        assert (await waiting).json()["ping"] == "pong"


async def test_a_restart_ends_every_call_and_keeps_the_address() -> None:
    """As a crash does."""
    async with FakeAri() as fake, http(fake) as client:
        url = fake.url
        async with events_of(fake):
            fake.calls_in("app")
            await fake.restart()
        assert fake.url == url
        assert fake.channels == {}
        assert (await client.get("/channels")).json() == []


async def test_stopping_a_stalled_asterisk_leaves_nothing_behind() -> None:
    """Its connections end, whatever they wait for."""
    async with FakeAri() as fake, http(fake) as client:
        fake.stall()
        waiting = asyncio.create_task(client.get("/asterisk/ping"))
        while not fake.requests:  # noqa: ASYNC110 - the list has no event
            await asyncio.sleep(0)
        await fake.stop()
        with pytest.raises(httpx.TransportError):
            await waiting


async def test_nobody_gets_in_without_the_password() -> None:
    """Neither with a request nor with a socket."""
    async with FakeAri() as fake:
        async with httpx.AsyncClient(base_url=fake.url) as client:
            assert (await client.get("/channels")).status_code == 401
        with pytest.raises(InvalidStatus, match="401"):
            async with connect(f"{fake.url.replace('http', 'ws')}/events?app=a", proxy=None):
                pass


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("PATCH", "/channels"),
        ("POST", "/channels/x/dance"),
        ("PUT", "/bridges/b"),
        ("GET", "/api-docs/unknown.json"),
        ("GET", "/asterisk/config/dynamic/res_pjsip/auth/x"),
    ],
)
async def test_what_there_is_not_is_404(method: str, path: str) -> None:
    """As Asterisk says it."""
    async with FakeAri() as fake, http(fake) as client:
        answer = await client.request(method, path)
        assert answer.status_code == 404
        assert answer.json()["message"].endswith("not found")


async def test_everything_is_told_to_who_wants_everything() -> None:
    """`subscribeAll` hears of other applications' channels too."""
    async with FakeAri() as fake, events_of(fake, "all", "&subscribeAll=true") as everything:
        async with events_of(fake, "one") as one:
            fake.calls_in("one")
            assert await names(one, 1) == ["StasisStart"]
        assert await names(everything, 2) == ["ChannelCreated", "StasisStart"]


async def test_a_bridge_tells_who_crosses_its_edge() -> None:
    """With those in it then; ending it takes everybody out."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        one, two = fake.calls_in("app"), fake.calls_in("app")
        await client.post("/bridges", params={"type": "holding", "bridgeId": "b"})
        query = {"channel": f"{one},{two}", "role": "participant"}
        assert (await client.post("/bridges/b/addChannel", params=query)).status_code == 204
        assert (await client.delete("/bridges/b")).status_code == 204
        told = (await received(socket, 7))[2:]
    assert [(event["type"], len(event["bridge"]["channels"])) for event in told] == [
        ("ChannelEnteredBridge", 1),
        ("ChannelEnteredBridge", 2),
        ("ChannelLeftBridge", 1),
        ("ChannelLeftBridge", 0),
        ("BridgeDestroyed", 0),
    ]
    assert fake.channels[one].bridge == ""


async def test_who_was_taken_out_hears_no_more_of_the_bridge() -> None:
    """The subscription of his application goes with the last of its channels."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        one = fake.calls_in("app")
        await client.post("/bridges", params={"type": "mixing", "bridgeId": "b"})
        await client.post("/bridges/b/addChannel", params={"channel": one})
        await client.post("/bridges/b/removeChannel", params={"channel": one})
        await client.delete("/bridges/b")
        fake.phone.hangs_up(one)
        assert await names(socket, 5) == [
            "StasisStart",
            "ChannelEnteredBridge",
            "ChannelLeftBridge",
            "ChannelHangupRequest",
            "StasisEnd",
        ]


async def test_stopped_sounds_and_recordings_are_told_to_those_around() -> None:
    """Of a channel, or of a bridge."""
    async with FakeAri() as fake, http(fake) as client, events_of(fake) as socket:
        one = fake.calls_in("app")
        await client.post(
            "/applications/app/subscription", params={"eventSource": f"channel:{one}"}
        )
        await client.post(f"/channels/{one}/play/p", params={"media": "sound:hello"})
        await client.delete("/playbacks/p")
        await client.post(f"/channels/{one}/record", params={"name": "r", "format": "wav"})
        await client.post("/recordings/live/r/stop")
        told = (await received(socket, 3))[1:]
    assert [event["type"] for event in told] == ["PlaybackFinished", "RecordingFinished"]
    assert told[0]["playback"]["state"] == "done"


async def test_requests_are_kept_for_the_test() -> None:
    """Method and path as a line, query and body beside it."""
    async with FakeAri() as fake, http(fake) as client:
        await client.post("/channels/a%2Fb/variable", json={"variable": "X", "value": "y"})
        (request,) = fake.requests
    assert str(request) == "POST channels/a/b/variable"
    assert request.path == ("channels", "a/b", "variable")
    assert request.query == {"variable": "X", "value": "y"}


def test_a_channel_hears_for_its_application_while_it_is_in_it() -> None:
    """And for those that subscribed, whatever it is in."""
    channel = FakeChannel("x", "PJSIP/1001", app="one", watchers={"two"})
    assert channel.audience == {"one", "two"}
    channel.app = ""
    assert channel.audience == {"two"}


@pytest.mark.parametrize(
    "said", [b"nonsense\r\n\r\n", b"GET /elsewhere HTTP/1.1\r\n\r\n", b"\r\n\r\n", b""]
)
async def test_bytes_that_are_no_request_end_the_connection(said: bytes) -> None:
    """And nothing else."""
    async with FakeAri() as fake:
        reader, writer = await asyncio.open_connection(*fake.url[7:-4].split(":"))
        writer.write(said)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert fake.requests == []
