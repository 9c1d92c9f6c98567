"""The clerk writes in order, tries again, and gives up."""

import asyncio

import pytest
from gateway_stage import Stage

from fastagi_server.calls.transitions import Trigger
from fastagi_server.gateway import clerk as clerks
from fastagi_server.signaling.dialogs import DialogRecord
from fastagi_server.store.errors import StoreBusyError

RECORD = DialogRecord("leg-1", "call-1", "alice", True, True, {})


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts are as short as can be."""
    monkeypatch.setattr(clerks, "LATE_SECONDS", (0.0, 0.0, 0.0))


async def test_a_clerk_that_runs(stage: Stage) -> None:
    """It writes what comes, in the order in which it came."""
    call = stage.call()
    running = asyncio.create_task(stage.clerk.run())
    stage.clerk.note(call.id, Trigger.RING)
    stage.clerk.note(call.id, Trigger.ACCEPT)
    stage.clerk.keep(RECORD)
    stage.clerk.drop("leg-1")
    await stage.clerk.idle()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert stage.kinds(call) == ["ringing", "accepted"]
    assert stage.dialogs.records == {}


async def test_a_clerk_that_is_stopped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was writing at that moment is written at the end."""
    save, has_begun = stage.dialogs.save, asyncio.Event()

    async def hang(_: DialogRecord) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(stage.dialogs, "save", hang)
    running = asyncio.create_task(stage.clerk.run())
    stage.clerk.keep(RECORD)
    await has_begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    monkeypatch.setattr(stage.dialogs, "save", save)
    await stage.settle()
    assert stage.dialogs.records == {"leg-1": RECORD}


async def test_a_store_that_is_busy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not take at first it takes later."""
    save, refusals = stage.dialogs.save, [1, 2, 3]

    async def busy(record: DialogRecord) -> None:
        if refusals:
            refusals.pop()
            raise StoreBusyError("the disk is slow")
        await save(record)

    monkeypatch.setattr(stage.dialogs, "save", busy)
    stage.clerk.keep(RECORD)
    await stage.settle()
    assert stage.dialogs.records == {"leg-1": RECORD}


@pytest.mark.parametrize("error", [StoreBusyError("the disk is full"), RuntimeError("a mistake")])
async def test_what_cannot_be_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It holds up nothing else."""

    async def fail(_: DialogRecord) -> None:
        raise error

    call = stage.call()
    monkeypatch.setattr(stage.dialogs, "save", fail)
    stage.clerk.keep(RECORD)
    stage.clerk.note(call.id, Trigger.RING)
    await stage.settle()
    assert stage.kinds(call) == ["ringing"]


async def test_too_much_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes then is dropped and counted."""
    monkeypatch.setattr(clerks, "MAX_WAITING", 1)
    full = clerks.Clerk(stage.journal, stage.dialogs, measures=stage.measures)
    full.keep(RECORD)
    full.drop("leg-1")
    await full.close()
    assert stage.dialogs.records == {"leg-1": RECORD}
    assert stage.measures.drops.values == {("gateway_entry",): 1}


async def test_a_store_that_hangs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end it is waited for two seconds, and then what is left is counted."""

    async def hang(_: DialogRecord) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(clerks, "CLOSE_SECONDS", 0.01)
    monkeypatch.setattr(stage.dialogs, "save", hang)
    stage.clerk.keep(RECORD)
    stage.clerk.drop("leg-1")
    await stage.settle()
    assert stage.measures.drops.values == {("gateway_entry",): 2}
