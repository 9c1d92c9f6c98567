"""The outbox as its users see it."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from fastagi_server.outbox.database import open_database
from fastagi_server.outbox.errors import OutboxFullError, OutboxUnusableError, OutboxWriteError
from fastagi_server.outbox.leader import leading
from fastagi_server.outbox.outbox import Outbox, open_outbox
from fastagi_server.outbox.writer import Writer
from fastagi_server.registration.models import Ending, Registration, provisional_call_id
from fastagi_server.registration.ports import Standing
from fastagi_server.telemetry.measures import Measures

REGISTRATION = Registration("pbx", "17.4", "", "", "", "", "", "", ("SIP/1001",), "audio")


@pytest.fixture
def measures() -> Measures:
    """Fresh measures."""
    return Measures()


@pytest.fixture
async def outbox(tmp_path: Path, measures: Measures) -> AsyncGenerator[Outbox]:
    """An outbox for two entries and one dead letter."""
    async with open_outbox(
        tmp_path / "outbox.db", measures=measures, max_entries=2, max_dead_letters=1
    ) as opened:
        yield opened


async def test_appended_statement_comes_back(outbox: Outbox) -> None:
    """What was appended is offered for delivery as it was said."""
    await outbox.append(REGISTRATION)
    (entry,) = (await outbox.backlog(10)).due
    assert (entry.kind, entry.key, entry.attempts) == ("register", "agi-pbx-17.4", 0)
    assert entry.statement == REGISTRATION


async def test_append_is_under_way_without_being_awaited(outbox: Outbox) -> None:
    """A statement is safe from cancellation as soon as `append` has returned."""
    waiter = asyncio.ensure_future(outbox.append(REGISTRATION))
    waiter.cancel()
    await outbox.statistics()
    assert waiter.cancelled()
    assert (await outbox.statistics()).pending == 1


async def test_append_wakes_whoever_asked(outbox: Outbox) -> None:
    """The relay hears of each append of its process."""
    woken: list[str] = []
    outbox.when_appended(lambda: woken.append("!"))
    await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    assert woken == ["!", "!"]


async def test_full_outbox_is_counted(outbox: Outbox, measures: Measures) -> None:
    """An append beyond the limit fails and shows in the measures."""
    await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    with pytest.raises(OutboxFullError):
        await outbox.append(replace(REGISTRATION, unique_id="17.5"))
    assert measures.drops.values == {("outbox_append",): 1.0}
    assert measures.outbox_entries.values[("register", "full")] == 1.0


async def test_lost_dead_letters_are_counted(outbox: Outbox, measures: Measures) -> None:
    """A dead letter pushed out by a newer one shows in the measures."""
    for statement in (REGISTRATION, Ending(REGISTRATION)):
        await outbox.append(statement)
        (entry,) = (await outbox.backlog(1)).due
        await outbox.died(entry, "forbidden")
    assert measures.drops.values == {("dead_letter",): 1.0}
    assert [letter.kind for letter in await outbox.dead_letters()] == ["end"]


async def test_postponed_entry_is_not_due(outbox: Outbox) -> None:
    """A postponed entry is offered again after its time, with its attempt counted."""
    await outbox.append(REGISTRATION)
    (entry,) = (await outbox.backlog(1)).due
    await outbox.postponed(entry, 3600.0, "api_error")
    backlog = await outbox.backlog(1)
    assert backlog.due == ()
    assert backlog.next_due_seconds is not None
    assert 3500.0 < backlog.next_due_seconds <= 3600.0
    (letter,) = await outbox.pending_letters()
    assert (letter.attempts, letter.code) == (1, "api_error")


async def test_delivery_is_remembered(outbox: Outbox) -> None:
    """The real id is found by the provisional one."""
    await outbox.append(REGISTRATION)
    (entry,) = (await outbox.backlog(1)).due
    await outbox.delivered(entry, "c1")
    standing = await outbox.standing(provisional_call_id(REGISTRATION.key))
    assert standing == Standing(waits=False, call_id="c1")


async def test_operators_retry_and_drop(outbox: Outbox) -> None:
    """A dead letter can be given another chance, or forgotten."""
    await outbox.append(REGISTRATION)
    (entry,) = (await outbox.backlog(1)).due
    await outbox.died(entry, "forbidden")
    assert await outbox.retry() == 1
    (entry,) = (await outbox.backlog(1)).due
    await outbox.died(entry, "forbidden")
    assert await outbox.drop() == 1
    statistics = await outbox.statistics()
    assert (statistics.pending, statistics.dead) == (0, 0)


async def test_entries_survive_a_restart(tmp_path: Path, measures: Measures) -> None:
    """What was appended before the end is there after the next start."""
    async with open_outbox(tmp_path / "outbox.db", measures=measures) as outbox:
        await outbox.append(REGISTRATION)
    async with open_outbox(tmp_path / "outbox.db", measures=measures) as outbox:
        assert (await outbox.statistics()).pending == 1


async def test_damaged_file_is_an_error_at_the_start(tmp_path: Path, measures: Measures) -> None:
    """The program learns that its outbox is no outbox before it takes a call."""
    (tmp_path / "outbox.db").write_text("not a database" * 1000)
    with pytest.raises(OutboxUnusableError, match=r"outbox\.db: the file is not"):
        async with open_outbox(tmp_path / "outbox.db", measures=measures):
            pass


async def test_hanging_disk_is_an_error_in_time(tmp_path: Path, measures: Measures) -> None:
    """An operation that takes too long fails; the caller does not wait for the disk."""
    gate = threading.Event()
    writer = Writer(open_database(tmp_path / "outbox.db"))
    outbox = Outbox(writer, lock_path=tmp_path / "lock", measures=measures, timeout_seconds=0.01)
    slow = writer.submit(lambda _: gate.wait(10))
    with pytest.raises(OutboxWriteError, match="in time"):
        await outbox.append(REGISTRATION)
    gate.set()
    assert await slow
    await writer.aclose()


async def test_one_leader_at_a_time(tmp_path: Path) -> None:
    """The second waits until the first has gone, then leads."""
    path = tmp_path / "outbox.db.lock"
    order: list[str] = []
    first_leads, first_may_go = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with leading(path, retry_seconds=0.001):
            order.append("first")
            first_leads.set()
            await first_may_go.wait()
            order.append("first goes")

    async def second() -> None:
        await first_leads.wait()
        asyncio.get_running_loop().call_soon(first_may_go.set)
        async with leading(path, retry_seconds=0.001):
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first", "first goes", "second"]


async def test_leadership_of_an_outbox_is_its_lock_file(outbox: Outbox, tmp_path: Path) -> None:
    """Leading locks a file beside the database, private like it."""
    async with outbox.leading():
        assert (tmp_path / "outbox.db.lock").stat().st_mode & 0o777 == 0o600
