"""The audit in a real database: what identities.audit promises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fastagi_server.identities.audit import AuditQuery, AuditRecord
from fastagi_server.store.opening import Store

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
STRANGER = AuditRecord(NOON, None, None, "end_call", None, "127.0.0.1", "r-0", 401, "unauthorized")


def a_record(number: int, *, identity: str = "alice", subject: str = "call-1") -> AuditRecord:
    """A record of `number` seconds after noon."""
    moment = NOON + timedelta(seconds=number)
    operation, request = "create_call", f"r-{number}"
    return AuditRecord(moment, identity, "token", operation, subject, "::1", request, 201, None)


async def requests(store: Store, query: AuditQuery, before: int | None = None) -> list[str]:
    """The request ids of a page of two."""
    return [record.request_id for record in await store.audit.page(query, before, 2)]


@pytest.fixture
async def audited(store: Store) -> Store:
    """A store with five records, of three identities and two calls."""
    records = [a_record(1), a_record(2, identity="bob"), a_record(3, subject="call-2")]
    await store.audit.append([STRANGER, *records])
    await store.audit.append([a_record(4)])
    return store


async def test_records_come_back_as_they_were(audited: Store) -> None:
    """Every field survives the database, and numbers count upwards."""
    *_, first = await audited.audit.page(AuditQuery(), None, 10)
    assert replace(first, number=None) == STRANGER
    numbers = [record.number or 0 for record in await audited.audit.page(AuditQuery(), None, 10)]
    assert len(numbers) == 5
    assert numbers == sorted(set(numbers), reverse=True)


async def test_pages(audited: Store) -> None:
    """Pages follow one another, newest first."""
    first = await audited.audit.page(AuditQuery(), None, 2)
    assert [record.request_id for record in first] == ["r-4", "r-3"]
    assert await requests(audited, AuditQuery(), first[-1].number) == ["r-2", "r-1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (AuditQuery(identity="alice"), ["r-4", "r-3"]),
        (AuditQuery(identity="bob"), ["r-2"]),
        (AuditQuery(subject="call-1"), ["r-4", "r-2"]),
        (AuditQuery(identity="alice", subject="call-2"), ["r-3"]),
        (AuditQuery(identity="eve"), []),
    ],
)
async def test_conditions(audited: Store, query: AuditQuery, expected: list[str]) -> None:
    """A page holds the records of an identity, of a call, or of both."""
    assert await requests(audited, query) == expected


async def test_old_records_are_forgotten(audited: Store) -> None:
    """What is older than a moment goes, the oldest first and a limited number at a time."""
    horizon = NOON + timedelta(seconds=3)
    assert await audited.audit.forget(horizon, 2) == 2
    assert await audited.audit.forget(horizon, 2) == 1
    assert await audited.audit.forget(horizon, 2) == 0
    assert await requests(audited, AuditQuery()) == ["r-4", "r-3"]
