"""A database that says when this process has written, for whoever follows what is written."""

import asyncio
from collections.abc import Set as AbstractSet

from fastagi_server.store.connection import T, Work
from fastagi_server.store.database import Database


class AnnouncingDatabase:
    """A database whose every successful write sets all of `hints`."""

    def __init__(self, database: Database, hints: AbstractSet[asyncio.Event]) -> None:
        self._database = database
        self._hints = hints

    async def read(self, work: Work[T]) -> T:
        """See Database."""
        return await self._database.read(work)

    async def search(self, work: Work[T]) -> T:
        """See Database."""
        return await self._database.search(work)

    async def write(self, work: Work[T]) -> T:
        """See Database."""
        result = await self._database.write(work)
        for hint in self._hints:
            hint.set()
        return result

    async def ping(self) -> None:
        """See Database."""
        await self._database.ping()

    async def close(self) -> None:
        """See Database."""
        await self._database.close()
