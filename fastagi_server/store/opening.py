"""Opens the store: every repository of one database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastagi_server.calls.journal import utc_now
from fastagi_server.store.api_keys import StoredKeys
from fastagi_server.store.audit import StoredAudit
from fastagi_server.store.calls import StoredCalls
from fastagi_server.store.database import Database, open_database
from fastagi_server.store.rooms import StoredRooms


@dataclass(frozen=True, slots=True)
class Store:
    """The repositories of one database."""

    database: Database
    calls: StoredCalls
    rooms: StoredRooms
    api_keys: StoredKeys
    audit: StoredAudit


@asynccontextmanager
async def open_store(url: str) -> AsyncGenerator[Store]:
    """Open the store at this URL, as `database.open_database` describes it.

    Several processes may have the same database open. Raises StoreError. Leaving the context
    finishes the changes that wait.
    """
    # A server may be slow to answer, and a migration takes its time.
    database = await asyncio.to_thread(open_database, url)
    try:
        yield Store(
            database,
            StoredCalls(database),
            StoredRooms(database),
            StoredKeys(database, utc_now),
            StoredAudit(database),
        )
    finally:
        await database.close()
