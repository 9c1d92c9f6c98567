"""Rooms that users come into with a browser, on a fake Asterisk."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from conference_stage import APP, BOB, ConferenceStage, open_conference_stage

from fastagi_server.identities.browsers import BrowserEndpoint
from fastagi_server.rooms.orders import JoinOrder
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState

BOBS = "PJSIP/bob@sge-gateway"


@pytest.fixture
async def stage(fake_ari: FakeAri, tmp_path: Path) -> AsyncGenerator[ConferenceStage]:
    """Rooms, and a gateway behind which bob answers."""
    fake_ari.phones[BOBS] = PhoneState.ANSWERS
    endpoints = Endpoints(browsers=BrowserEndpoint("sge-gateway"))
    async with fake_ari, open_conference_stage(fake_ari, tmp_path, endpoints) as opened:
        yield opened


async def test_a_page_is_rung_into_a_room(stage: ConferenceStage) -> None:
    """It is offered Opus, and told which room it is."""
    room = await stage.create()
    await stage.desk.registry.join(room.id, JoinOrder(endpoint=BOBS), BOB)
    await stage.until_states(room, alice="invited", bob="present")
    channel = stage.asterisk.channels[f"{room.bridge_id}-0"]
    assert channel.variables["PJSIP_HEADER(add,X-SGE-Session)"] == f"room-{room.id}"
    (rung,) = (
        each
        for each in stage.asterisk.requests
        if each.path == ("channels",) and each.method == "POST"
    )
    assert rung.query["formats"] == "opus,ulaw"


async def test_a_page_calls_a_room(stage: ConferenceStage) -> None:
    """The gateway has asked who it is: the user is in the roster by his own name."""
    room = await stage.create()
    stage.asterisk.calls_in(
        APP, args="123", endpoint="PJSIP/sge-gateway", caller_number="carol~40example.org"
    )
    await stage.until_states(room, alice="invited", **{"carol@example.org": "present"})


async def test_a_telephone_that_only_says_so(stage: ConferenceStage) -> None:
    """The number of any other caller is no name of a user."""
    room = await stage.create()
    stage.asterisk.calls_in(APP, args="123", endpoint="PJSIP/1009", caller_number="carol")
    await stage.until_states(room, alice="invited", xcarol="present")
