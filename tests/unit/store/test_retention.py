"""How records that are too old are removed, a few at a time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fastagi_server.store import retention
from fastagi_server.store.errors import StoreBusyError
from fastagi_server.store.retention import Forgetting, Retention, keep_forgetting
from fastagi_server.telemetry.measures import Measures

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEN_DAYS_AGO = datetime(2026, 11, 12, 12, tzinfo=UTC)


class _Records:
    """Has so many records that are too old, and fails as often as it is told."""

    def __init__(self, old: int, *failures: Exception) -> None:
        self.old = old
        self.asked: list[tuple[datetime, int]] = []
        self.empty = asyncio.Event()
        self._failures = list(failures)

    async def forget(self, horizon: datetime, limit: int) -> int:
        """Forget some."""
        self.asked.append((horizon, limit))
        if self._failures:
            raise self._failures.pop(0)
        forgotten = min(limit, self.old)
        self.old -= forgotten
        if not forgotten:
            self.empty.set()
        return forgotten


def forgetting(measures: Measures, *rules: Retention) -> Forgetting:
    """Forgets by these rules, at noon."""
    return Forgetting(rules, measures=measures, now=lambda: NOW)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.0)


async def test_a_few_at_a_time() -> None:
    """What is older than it is kept goes in transactions of fifty, and is counted."""
    records, measures = _Records(120), Measures()
    rule = Retention("call", records, timedelta(days=10))
    await forgetting(measures, rule).forget(rule)
    assert records.asked == [(TEN_DAYS_AGO, 50)] * 4
    assert records.old == 0
    assert measures.records_forgotten.values == {("call",): 120}


async def test_there_is_time_for_calls_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """After every transaction comes a pause of a tenth of a second."""
    monkeypatch.undo()
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("fastagi_server.store.retention.asyncio.sleep", pause)
    rule = Retention("call", _Records(60), timedelta(days=10))
    await forgetting(Measures(), rule).forget(rule)
    assert pauses == [0.1, 0.1]


@pytest.mark.parametrize("failure", [StoreBusyError("busy"), RuntimeError("a mistake")])
async def test_a_failure_is_not_the_end(failure: Exception) -> None:
    """A store that fails keeps nothing else from being forgotten, and is tried again later."""
    failing, other = _Records(60, failure), _Records(1)
    rules = [Retention(kind, records, timedelta()) for kind, records in _kinds(failing, other)]
    async with keep_forgetting(forgetting(Measures(), *rules)), asyncio.timeout(10):
        await other.empty.wait()
        await failing.empty.wait()
    assert (failing.old, other.old) == (0, 0)


def _kinds(*records: _Records) -> list[tuple[str, _Records]]:
    return [(f"kind-{number}", each) for number, each in enumerate(records)]


async def test_leaving_ends_it() -> None:
    """After the context nothing is forgotten any more."""
    records = _Records(0)
    rule = Retention("audit", records, timedelta())
    async with keep_forgetting(forgetting(Measures(), rule)), asyncio.timeout(10):
        await records.empty.wait()
    assert [task.get_name() for task in asyncio.all_tasks()].count("forgetting") == 0
