"""Opens the store: every repository of one database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastagi_server.calls.registry import utc_now
from fastagi_server.store.api_keys import StoredKeys
from fastagi_server.store.calls import StoredCalls
from fastagi_server.store.database import SqliteDatabase, open_database


@dataclass(frozen=True, slots=True)
class Store:
    """The repositories of one database."""

    database: SqliteDatabase
    calls: StoredCalls
    api_keys: StoredKeys


@asynccontextmanager
async def open_store(url: str) -> AsyncGenerator[Store]:
    """Open the store at this URL (`sqlite:///relative` or `sqlite:////absolute`).

    Several processes may have the same file open. Raises StoreUnavailableError. Leaving the context
    finishes the changes that wait.
    """
    database = open_database(url)
    try:
        yield Store(database, StoredCalls(database), StoredKeys(database, utc_now))
    finally:
        await database.close()
