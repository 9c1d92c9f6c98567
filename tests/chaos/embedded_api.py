"""The SGE API inside the server: killed with it, and read from its database afterwards."""

import asyncio
import random
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from .api import LONGEST_SPELL_SECONDS
from .story import Record, Step

WORDS: Final = {"adopted": "created", "accepted": "accepted", "ended": "ended"}
"""Kinds of events in the database, and what they are called in a record."""

_CALLS = "SELECT id, asterisk_unique_id, status, coalesce(dial_status, '') FROM calls"
_EVENTS = "SELECT kind, at FROM call_events WHERE call_id = ? ORDER BY id"


class EmbeddedApi:
    """The embedded API by its database in `folder`; see `api.Api`.

    Its weather is another program that keeps the database locked.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state" / "sge.sqlite3"
        self._spells = 0

    @property
    def settings(self) -> Mapping[str, str]:
        """See `api.Api`. The patience is short, so that a locked database means the outbox."""
        return {"PORT": "0", "SGE_DEADLINE_SECONDS": "0.3"}

    async def weather(self, chance: random.Random) -> None:
        """See `api.Api`."""
        while True:
            await asyncio.sleep(chance.uniform(0, LONGEST_SPELL_SECONDS))
            with suppress(sqlite3.OperationalError):  # the file or its tables are not there yet
                await self._hold_lock(chance.uniform(0, LONGEST_SPELL_SECONDS))

    async def _hold_lock(self, seconds: float) -> None:
        if not self._path.exists():
            return
        with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            self._spells += 1
            await asyncio.sleep(seconds)
            connection.execute("ROLLBACK")

    def records(self) -> list[Record]:
        """See `api.Api`."""
        with closing(sqlite3.connect(self._path)) as connection:
            return [
                Record(call_id, unique_id or "", status, dial_status, _events(connection, call_id))
                for call_id, unique_id, status, dial_status in connection.execute(_CALLS).fetchall()
            ]

    def steps(self, record: Record) -> Iterable[Step]:
        """See `api.Api`."""
        with closing(sqlite3.connect(self._path)) as connection:
            rows = connection.execute(_EVENTS, (record.call_id,)).fetchall()
        return [Step(at / 1_000_000, str(kind)) for kind, at in rows]

    def summary(self) -> str:
        """See `api.Api`."""
        return f"its database was locked {self._spells} times"


def _events(connection: sqlite3.Connection, call_id: str) -> tuple[str, ...]:
    events: list[tuple[str, int]] = connection.execute(_EVENTS, (call_id,)).fetchall()
    return tuple(WORDS.get(kind, kind) for kind, _ in events)
