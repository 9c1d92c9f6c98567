"""How audit records get to the store, and what becomes of them when it fails."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from fastagi_server.api import audit
from fastagi_server.api.audit import AuditTrail
from fastagi_server.identities.audit import AuditQuery, AuditRecord
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store.errors import StoreBusyError, StoreRefusedError
from fastagi_server.telemetry.measures import Measures

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class _Records:
    """Keeps records in lists, one for each transaction, or fails as often as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failures = 0
        self.stored = asyncio.Event()

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Keep them, unless a failure is due."""
        if self.failures:
            self.failures -= 1
            raise StoreBusyError("busy")
        self.batches.append([record.request_id for record in records])
        self.stored.set()

    async def page(
        self, query: AuditQuery, before: int | None, limit: int
    ) -> Sequence[AuditRecord]:
        """Nothing."""
        return []


@pytest.fixture
def records() -> _Records:
    """Where records are kept."""
    return _Records()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(audit, "RETRY_SECONDS", 0.0)


def trail(records: _Records, measures: Measures | None = None) -> AuditTrail:
    """An audit on these records."""
    return AuditTrail(records, measures=measures or Measures(), now=lambda: NOW)


def scope(request_id: str = "r", **changes: Any) -> dict[str, Any]:
    """The scope of an answered request."""
    return {
        "method": "POST",
        "route": type("Route", (), {"name": "end_call"}),
        "client": ("192.0.2.7", 4711),
        "path_params": {"call_id": "c-1"},
        "fastagi_server.request_id": request_id,
        **changes,
    }


async def test_records_are_stored_in_the_background(records: _Records) -> None:
    """What is noted is stored soon, in order, without anybody waiting for it."""
    measures = Measures()
    async with trail(records, measures) as noting:
        noting.note(scope("1"), 200)
        noting.note(scope("2"), 200)
        async with asyncio.timeout(10):
            await records.stored.wait()
    assert records.batches == [["1", "2"]]
    assert measures.audit_records.values == {(): 2}
    assert measures.drops.values == {}


async def test_batches_are_bounded(records: _Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction takes so many records and no more."""
    monkeypatch.setattr(audit, "MAX_BATCH", 2)
    async with trail(records) as noting:
        for number in range(5):
            noting.note(scope(str(number)), 200)
    assert records.batches == [["0", "1"], ["2", "3"], ["4"]]


async def test_store_that_fails_for_a_while(records: _Records) -> None:
    """Records wait until the store takes them; none is lost or stored twice."""
    records.failures = 3
    async with trail(records) as noting:
        noting.note(scope("1"), 200)
        async with asyncio.timeout(10):
            await records.stored.wait()
    assert records.batches == [["1"]]


async def test_store_that_fails_at_the_end(records: _Records) -> None:
    """What the store does not take by the end is counted as dropped."""
    measures = Measures()
    noting = trail(records, measures)
    noting.note(scope("1"), 200)
    records.failures = 1
    await noting.__aexit__(None, None, None)
    assert records.batches == []
    assert measures.drops.values == {("audit",): 1}


async def test_records_that_are_refused(records: _Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that do not fit the tables are dropped, counted, and keep nothing back."""
    append = records.append
    monkeypatch.setattr(audit, "MAX_BATCH", 1)

    async def refuse_first(some: Sequence[AuditRecord]) -> None:
        if some[0].request_id == "1":
            raise StoreRefusedError("too long")
        await append(some)

    monkeypatch.setattr(records, "append", refuse_first)
    measures = Measures()
    async with trail(records, measures) as noting:
        noting.note(scope("1"), 200)
        noting.note(scope("2"), 200)
    assert records.batches == [["2"]]
    assert measures.drops.values == {("audit",): 1}


async def test_store_that_hangs_at_the_end(
    records: _Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the program does not wait for ever."""

    async def hang(_records: Sequence[AuditRecord]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(audit, "CLOSE_SECONDS", 0.01)
    monkeypatch.setattr(records, "append", hang)
    measures = Measures()
    noting = trail(records, measures)
    noting.note(scope("1"), 200)
    await noting.__aexit__(None, None, None)
    assert measures.drops.values == {("audit",): 1}


@pytest.mark.parametrize("changes", [{"method": "GET"}, {"method": "HEAD"}, {"route": None}])
async def test_what_is_no_change(records: _Records, changes: dict[str, Any]) -> None:
    """Reading and paths that do not exist leave no record."""
    async with trail(records) as noting:
        noting.note(scope(**changes), 200)
    assert records.batches == []


async def test_end_in_the_middle_of_storing(
    records: _Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that is under way at the end is waited for, and its records are kept once."""
    begun, finish = asyncio.Event(), asyncio.Event()
    keep = records.append

    async def slowly(some: Sequence[AuditRecord]) -> None:
        begun.set()
        await finish.wait()
        await keep(some)

    monkeypatch.setattr(records, "append", slowly)
    noting = await trail(records).__aenter__()
    noting.note(scope("first"), 200)
    await begun.wait()
    noting.note(scope("second"), 200)
    leaving = asyncio.create_task(noting.__aexit__(None, None, None))
    await asyncio.sleep(0)
    finish.set()
    await leaving
    assert records.batches == [["first"], ["second"]]


async def test_flood(records: _Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a flood of requests that are turned away the first are kept, of each who sends them."""
    monkeypatch.setattr(audit, "TURNED_AWAY_PER_MINUTE", 2)
    measures = Measures()
    alice = Identity("alice", frozenset({Scope.CALLS}))
    async with trail(records, measures) as noting:
        for status in (401, 429, 401):
            noting.note(scope("stranger"), status)
        noting.note(scope("other", client=("192.0.2.8", 1)), 401)
        for number in range(3):
            noting.note({**scope(f"alice {number}"), "fastagi_server.caller": alice}, 429)
            noting.note({**scope(f"call {number}"), "fastagi_server.caller": alice}, 201)
    assert [entry for batch in records.batches for entry in batch] == [
        "stranger",
        "stranger",
        "other",
        "alice 0",
        "call 0",
        "alice 1",
        "call 1",
        "call 2",
    ]
    assert measures.drops.values == {("audit_flood",): 2}


async def test_record(records: _Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record has who, what, on which, from where and what came of it, each as long as fits."""
    kept: list[AuditRecord] = []

    async def keep(some: Sequence[AuditRecord]) -> None:
        kept.extend(some)

    monkeypatch.setattr(records, "append", keep)
    alice = Identity("alice", frozenset({Scope.CALLS}), "token")
    async with trail(records) as noting:
        noting.note({**scope(), "fastagi_server.caller": alice, "fastagi_server.code": "x"}, 403)
        noting.note({**scope(client=None, path_params={}), "fastagi_server.subject": "c-2"}, 201)
        noting.note(scope(client=("x" * 500, 1)), 200)
    assert kept == [
        AuditRecord(NOW, "alice", "token", "end_call", "c-1", "192.0.2.7", "r", 403, "x"),
        AuditRecord(NOW, None, None, "end_call", "c-2", "", "r", 201, None),
        AuditRecord(NOW, None, None, "end_call", "c-1", "x" * 64, "r", 200, None),
    ]
