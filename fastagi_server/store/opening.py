"""Opens the store: every repository of one database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastagi_server.calls.journal import utc_now
from fastagi_server.store.announcing import AnnouncingDatabase
from fastagi_server.store.api_keys import StoredKeys
from fastagi_server.store.audit import StoredAudit
from fastagi_server.store.calls import StoredCalls
from fastagi_server.store.database import CONNECTIONS, Database, open_database
from fastagi_server.store.dialogs import StoredDialogs
from fastagi_server.store.event_log import StoredEventLogs
from fastagi_server.store.rooms import StoredRooms
from fastagi_server.store.traced_calls import TracedCalls
from fastagi_server.store.webhooks import StoredWebhooks
from fastagi_server.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Store:
    """The repositories of one database."""

    database: Database
    calls: StoredCalls
    rooms: StoredRooms
    api_keys: StoredKeys
    audit: StoredAudit
    event_logs: StoredEventLogs
    webhooks: StoredWebhooks
    dialogs: StoredDialogs


@asynccontextmanager
async def open_store(
    url: str, *, connections: int = CONNECTIONS, tracing: Tracing | None = None
) -> AsyncGenerator[Store]:
    """Open the store at this URL, as `database.open_database` describes it.

    Several processes may have the same database open. `tracing` gets each call as a span when its
    record ends. Raises StoreError. Leaving the context
    finishes the changes that wait.
    """
    # A server may be slow to answer, and a migration takes its time.
    opened = await asyncio.to_thread(open_database, url, connections=connections)
    hints = set[asyncio.Event]()
    database = AnnouncingDatabase(opened, hints)
    try:
        yield Store(
            database,
            StoredCalls(database) if tracing is None else TracedCalls(database, tracing),
            StoredRooms(database),
            StoredKeys(database, utc_now),
            # What these write is nothing that anybody follows.
            StoredAudit(opened),
            StoredEventLogs(opened, hints),
            StoredWebhooks(opened),
            StoredDialogs(opened),
        )
    finally:
        await database.close()
