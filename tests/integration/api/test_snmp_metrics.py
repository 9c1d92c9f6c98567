"""The figures of the SNMP objects as JSON, and the measures, over HTTP."""

import httpx

from fastagi_server.api.snmp import VoipMetricsBody
from fastagi_server.store.census import StoreCensus
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

PATH = "http://sge/api/v1/snmp/voip/metrics"


async def test_nothing_is_known(operator: httpx.AsyncClient) -> None:
    """What nobody brought is null, and so is what is not measured; the OIDs are there."""
    answer = await operator.get(PATH)
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == list(VoipMetricsBody.model_fields)
    oids = body.pop("voip_oids")
    assert set(body.values()) == {None}
    assert ".1.3.6.1.4.1.8072.1.3.2.3.2.1.1.1" in oids


async def test_all_is_known(operator: httpx.AsyncClient, measures: Measures) -> None:
    """Each figure is that of its measure."""
    measures.calls_active.become({"ringing": 2, "connected": 3})
    measures.rooms_active.set(2)
    measures.room_participants.become({"present": 14, "waiting": 1})
    measures.calls_active_age_seconds.set(420.5)
    measures.mos.set(4.21)
    measures.registrations.add("REGISTERED", "none", amount=97)
    measures.registrations.add("FAILED", "outbox_full", amount=3)
    measures.last_call_timestamp.become({"started": 1767268800.0, "ended": 1767268860.5})
    body = VoipMetricsBody.model_validate((await operator.get(PATH)).json())
    assert (body.active_calls, body.active_rooms, body.total_participants) == (5, 2, 15)
    assert body.average_call_duration_seconds == 420.5
    assert body.call_quality_score == 4.21
    assert body.error_rate == 0.03
    assert body.last_call_started is not None
    assert body.last_call_started.isoformat() == "2026-01-01T12:00:00+00:00"
    assert body.last_call_ended is not None
    assert body.last_call_ended.isoformat() == "2026-01-01T12:01:00.500000+00:00"


async def test_figures_are_live(
    operator: httpx.AsyncClient, service: httpx.AsyncClient, measures: Measures, store: Store
) -> None:
    """The records are counted when the figures are asked for."""
    StoreCensus(store.database, measures)
    for callee in ("bob", "carol"):
        answer = await service.post("/calls", json={"participants": [callee], "call_type": "audio"})
        assert answer.status_code == 201
    await measures.collectors.close()
    await StoreCensus(store.database, measures).collect()
    assert (await operator.get(PATH)).json()["active_calls"] == 2


async def test_for_operators_only(anybody: httpx.AsyncClient, alice: httpx.AsyncClient) -> None:
    """Without a credential it is 401, with a user's 403; the measures are for anybody."""
    assert (await anybody.get(PATH)).status_code == 401
    assert (await alice.get(PATH)).status_code == 403
    assert (await anybody.get("http://sge/api/v1/metrics/prometheus")).status_code == 200
