"""Legs of browsers that are up, on both kinds of database."""

from fastagi_server.signaling.dialogs import DialogRecord
from fastagi_server.store.opening import Store, open_store


def record(leg_id: str = "leg-1", **snapshot: object) -> DialogRecord:
    """A leg of alice's."""
    return DialogRecord(leg_id, "call-1", "alice", True, False, snapshot)


async def test_what_is_kept_is_there_in_the_next_run(url: str) -> None:
    """All of it, in whatever the wire says of a leg."""
    kept = record(number=2**31, routes=["<sip:a;lr>"], sent="v=0\r\n\u00fc", timer=None)
    async with open_store(url) as store:
        assert await store.dialogs.kept() == []
        await store.dialogs.save(kept)
    async with open_store(url) as store:
        assert await store.dialogs.kept() == [kept]


async def test_a_leg_is_kept_once(store: Store) -> None:
    """As it was the last time; one that has ended is forgotten, twice is as good."""
    await store.dialogs.save(record(number=1))
    await store.dialogs.save(record("leg-2"))
    await store.dialogs.save(record(number=2))
    assert await store.dialogs.kept() == [record(number=2), record("leg-2")]
    await store.dialogs.remove("leg-1")
    await store.dialogs.remove("leg-1")
    assert await store.dialogs.kept() == [record("leg-2")]
