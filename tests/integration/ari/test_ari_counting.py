"""Counting what a fake Asterisk lists, over a real connection."""

from collections.abc import AsyncGenerator

import pytest
from ari_owner import client_of

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.counting import ChannelCount, EndpointCount
from fastagi_server.ari.errors import AriAnswerError
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.objects import FakeBridge, FakeChannel
from fastagi_server.testing.ari.world import PhoneState


@pytest.fixture
async def fake() -> AsyncGenerator[FakeAri]:
    """Run a fake Asterisk."""
    async with FakeAri() as running:
        yield running


@pytest.fixture
async def client(fake: FakeAri) -> AsyncGenerator[AriClient]:
    """Return a client of it."""
    async with client_of(fake) as opened:
        yield opened


async def test_channels(fake: FakeAri, client: AriClient) -> None:
    """All are counted; those that are answered and have RTP are named."""
    for channel in (
        FakeChannel("17.1", "PJSIP/1001", state="Up"),
        FakeChannel("17.2", "PJSIP/1002", state="Ringing"),
        FakeChannel("17.3", "Local/1003@lab", state="Up"),
        FakeChannel("17.4", "PJSIP/1004", state="Up"),
    ):
        fake.channels[channel.id] = channel
    assert await client.count_channels() == ChannelCount(4, ("17.1", "17.4"))


async def test_bridges(fake: FakeAri, client: AriClient) -> None:
    """Bridges are counted."""
    assert await client.count_bridges() == 0
    fake.bridges["b"] = FakeBridge("b", "mixing")
    assert await client.count_bridges() == 1


async def test_endpoints(fake: FakeAri, client: AriClient) -> None:
    """Endpoints are counted, and those that can be reached."""
    fake.phones["PJSIP/1002"] = PhoneState.OFFLINE
    assert await client.count_endpoints() == EndpointCount(3, 2)


async def test_answer_that_is_no_list(
    fake: FakeAri, client: AriClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no list of objects is refused and not counted."""
    monkeypatch.setattr(FakeChannel, "document", str)
    fake.channels["17.1"] = FakeChannel("17.1", "PJSIP/1001")
    with pytest.raises(AriAnswerError, match="channels is no object"):
        await client.count_channels()
