"""The logs of calls and rooms, read on and on as they grow: events.ports.EventLogs.

A reader keeps one number a log: all up to there was handed out, and nothing below is ever to come.
With SQLite there is one writer, so numbers become visible in order. PostgreSQL gives them out when
a row is added and shows them when its transaction ends: a number that is missing may be on its way,
or belong to what was taken back or removed. So at a gap the reader stops and puts up a fence: it
takes a transaction id, and once all transactions with lower ones have ended, which is mostly at
once, whatever is still missing below the fence will never be.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, insert, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from fastagi_server.events.ports import Logged, Positions, RecordsError
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import Database
from fastagi_server.store.errors import StoreError
from fastagi_server.store.log_rows import LOGS, Log, Query

FENCE_SECONDS = 30.0
"""After this time a gap is passed, whatever other databases of the server have under way: ours
lasts a third of that at most."""

_discards = schema.discards.c


class _Transaction(FunctionElement[int]):
    """A transaction id above all that were given out."""

    type = BigInteger()
    inherit_cache = True


class _OldestTransaction(FunctionElement[int]):
    """The lowest id of a transaction that has not ended."""

    type = BigInteger()
    inherit_cache = True


@compiles(_Transaction, "postgresql")
def _transaction(*_: object, **__: object) -> str:
    return "txid_current()"


@compiles(_OldestTransaction, "postgresql")
def _oldest_transaction(*_: object, **__: object) -> str:
    return "txid_snapshot_xmin(txid_current_snapshot())"


@compiles(_Transaction, "sqlite")
@compiles(_OldestTransaction, "sqlite")
def _none_under_way(_element: object, _compiler: SQLCompiler, **_: object) -> str:
    return "0"


_TRANSACTION: Query = select(_Transaction())
_OLDEST: Query = select(_OldestTransaction())


_ADD_DISCARD = insert(schema.discards)
_OLD_DISCARDS = (
    select(_discards.id)
    .where(_discards.at < bindparam("horizon"))
    .order_by(_discards.id)
    .limit(bindparam("limit"))
)
_FORGET_DISCARD = delete(schema.discards).where(_discards.id == bindparam("number"))


class StoredEventLogs:
    """The logs in a database; `hints` are set by whoever writes to it in this process."""

    def __init__(self, database: Database, hints: set[asyncio.Event]) -> None:
        self._database = database
        self._hints = hints

    async def open_reading(self, start: Positions | None) -> "LogReader":
        """A reader that begins there, or at the present end. Raises RecordsError."""
        places = await _asked(self._database, _ends) if start is None else start
        return LogReader(self._database, places)

    def open_hint(self) -> asyncio.Event:
        """See EventLogs."""
        hint = asyncio.Event()
        self._hints.add(hint)
        return hint

    async def forget(self, horizon: datetime, limit: int) -> int:
        """Delete at most `limit` notes of what was discarded before; returns how many."""
        return await self._database.write(lambda connection: _forget(connection, horizon, limit))


class LogReader:
    """Reads on from `start`; logs that are not named there from their beginning."""

    def __init__(
        self,
        database: Database,
        start: Positions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._places = {each.name: _Place(each, start.get(each.name, 0)) for each in LOGS}

    @property
    def positions(self) -> Positions:
        """See LogReading."""
        return {name: place.number for name, place in self._places.items()}

    async def read(self, limit: int) -> Sequence[Logged]:
        """See LogReading."""
        now = self._clock()
        places = self._places.values()
        found = await _asked(
            self._database,
            lambda connection: [place.look(connection, limit, now) for place in places],
        )
        logged: list[Logged] = []
        for place, (rows, fence) in zip(places, found, strict=True):
            logged += place.take(rows, fence)
        return logged


@dataclass(frozen=True, slots=True)
class _Fence:
    """Up to `number` all is settled when the transactions below `transaction` have ended."""

    number: int
    transaction: int
    put_up_at: float


class _Place:
    """Where a reader is in one log. `look` changes nothing, so that it may be repeated."""

    def __init__(self, log: Log, number: int) -> None:
        self._log = log
        self.number = number
        self._fence: _Fence | None = None

    def look(
        self, connection: Connection, limit: int, now: float
    ) -> tuple[list[list[Any]], _Fence | None]:
        """The rows that may be handed out now, and the fence that is left or newly put up."""
        fence = self._fence
        settled = self.number
        if fence is not None and self._is_passed(connection, fence, now):
            settled, fence = fence.number, None
        rows = self._rows(connection, limit)
        ready = _up_to_gap(rows, self.number, settled)
        if len(ready) == len(rows) or fence is not None:
            return ready, fence
        # Mostly nobody is at work below, and there is nothing to wait for.
        fence = _Fence(rows[-1][0], _value(connection, _TRANSACTION), now)
        if not self._is_passed(connection, fence, now):
            return ready, fence
        rows = self._rows(connection, limit)
        return _up_to_gap(rows, self.number, fence.number), None

    def take(self, rows: list[list[Any]], fence: _Fence | None) -> list[Logged]:
        """Hand out what `look` has found."""
        self._fence = fence
        taken = [Logged(self._log.name, row[0], self._log.to_event(row)) for row in rows]
        if rows:
            self.number = rows[-1][0]
        return taken

    def _rows(self, connection: Connection, limit: int) -> list[list[Any]]:
        return connection.rows(self._log.behind, {"number": self.number, "limit": limit})

    def _is_passed(self, connection: Connection, fence: _Fence, now: float) -> bool:
        if now - fence.put_up_at > FENCE_SECONDS:
            return True
        oldest: int = _value(connection, _OLDEST)
        return oldest >= fence.transaction


def _up_to_gap(rows: list[list[Any]], number: int, settled: int) -> list[list[Any]]:
    """The rows before the first number that is missing above `settled`."""
    for count, row in enumerate(rows):
        if row[0] > settled and row[0] != number + 1:
            return rows[:count]
        number = row[0]
    return rows


def add_discard(connection: Connection, kind: str, subject: str, at: datetime) -> None:
    """Note within a transaction that a call or a room is forgotten that others may know of."""
    connection.run(_ADD_DISCARD, {"kind": kind, "subject": subject, "at": at})


def _value(connection: Connection, query: Query) -> Any:
    ((value,),) = connection.rows(query, {})
    return value


def _ends(connection: Connection) -> Mapping[str, int]:
    return {each.name: _value(connection, each.newest) or 0 for each in LOGS}


def _forget(connection: Connection, horizon: datetime, limit: int) -> int:
    old = connection.rows(_OLD_DISCARDS, {"horizon": horizon, "limit": limit})
    return connection.run(_FORGET_DISCARD, *({"number": number} for (number,) in old))


async def _asked(database: Database, work: Callable[[Connection], Any]) -> Any:
    try:
        return await database.read(work)
    except StoreError as error:
        raise RecordsError(str(error)) from error
