"""A process that creates calls until it is killed, and prints the id of each when it is durable.

Usage: creating_process.py URL NAME [KEY]. With KEY it creates one call under that key and ends.
"""

import asyncio
import sys
from datetime import UTC, datetime
from itertools import count

from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EventKind
from fastagi_server.calls.ports import IdempotencyKey
from fastagi_server.store.opening import Store, open_store


def a_call(call_id: str) -> tuple[Call, CallEvent]:
    """A call that begins now."""
    now = datetime.now(UTC)
    call = Call(
        id=call_id,
        caller_id="alice",
        participants=("bob",),
        call_type=CallType.AUDIO,
        status=CallStatus.INITIATING,
        start_time=now,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={},
        updated_at=now,
    )
    return call, CallEvent(EventKind.CREATED, now, "alice", {})


async def create_one(store: Store, name: str, key: str) -> None:
    """Create one call under the key and print whose it became."""
    call, event = a_call(name)
    recorded, _ = await store.calls.create(call, event, IdempotencyKey("alice", key, b"f" * 32))
    print(recorded.id, flush=True)  # noqa: T201 - what this process is for


async def create_many(store: Store, name: str) -> None:
    """Create calls, eight at a time, until the end."""
    numbers = count()

    async def create() -> None:
        for number in numbers:
            call, event = a_call(f"{name}-{number}")
            await store.calls.create(call, event, None)
            print(call.id, flush=True)  # noqa: T201 - what this process is for

    await asyncio.gather(*(create() for _ in range(8)))


async def main(url: str, name: str, *key: str) -> None:
    """Do what the arguments say."""
    async with open_store(url) as store:
        if key:
            await create_one(store, name, key[0])
        else:
            await create_many(store, name)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
