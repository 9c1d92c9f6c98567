"""What a look at all of Asterisk makes of calls that change while it is looked at."""

from pathlib import Path

import pytest
from call_stage import APP, SERVICE, Stage, open_stage

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.models import Bridge
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.models import Call
from fastagi_server.stasis.effects import CallEffects
from fastagi_server.stasis.endpoints import Endpoints
from fastagi_server.stasis.reconciliation import Reconciliation
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState


async def test_a_call_that_is_placed_while_asterisk_is_looked_at(
    fake_ari: FakeAri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After lost events everything is looked at again; who was dialled meanwhile is not gone."""
    bridges = AriClient.bridges
    placed: list[Call] = []
    async with fake_ari:
        for user in ("1001", "1002", "1004"):
            fake_ari.phones[f"PJSIP/{user}"] = PhoneState.ANSWERS
        async with open_stage(tmp_path, fake_ari) as stage:
            old = await stage.place("SIP/1001", "SIP/1002")
            await stage.until(old.id, "connected")

            async def place_before_answer(client: AriClient) -> list[Bridge]:
                placed.append(await stage.place("SIP/1004"))
                await stage.until(placed[0].id, "connected")
                return await bridges(client)

            monkeypatch.setattr(AriClient, "bridges", place_before_answer)
            await reconciliation_of(stage).reconcile()
            for call in (old, *placed):
                assert (await stage.registry.get(call.id, SERVICE)).status == "connected"
                await stage.end(call.id)
            await stage.empty()


def reconciliation_of(stage: Stage) -> Reconciliation:
    """What the service does when it has lost events while its link is up."""
    ari, switchboard = stage.telephony.ari, stage.telephony.switchboard
    assert ari is not None
    assert switchboard is not None
    journal = CallJournal(records=stage.store.calls, measures=Measures())
    effects = CallEffects(ari, journal, app=APP, ring_seconds=30)
    return Reconciliation(ari, journal, effects, switchboard, Endpoints(), applications={})
