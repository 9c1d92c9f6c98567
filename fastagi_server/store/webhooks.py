"""How far webhooks were delivered, and what was given up: events.ports.WebhookBook."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from fastagi_server.events.ports import DeadLetter, Positions, RecordsError
from fastagi_server.store import schema
from fastagi_server.store.connection import Connection, T
from fastagi_server.store.database import Database
from fastagi_server.store.errors import StoreError

MAX_REASON = 256
NOBODY = ""

_targets = schema.webhook_targets.c
_letters = schema.webhook_letters.c

_LEADER = select(_targets.owner, _targets.leads_until).where(
    _targets.target == bindparam("of_target")
)
_ADD_TARGET = insert(schema.webhook_targets)
_LEAD = (
    update(schema.webhook_targets)
    .where(
        _targets.target == bindparam("of_target"),
        or_(
            _targets.owner == bindparam("me"),
            _targets.owner == NOBODY,
            _targets.leads_until < bindparam("now"),
        ),
    )
    .values(owner=bindparam("me"), leads_until=bindparam("until"))
)
_POSITIONS = select(_targets.positions).where(_targets.target == bindparam("of_target"))
_OWN = update(schema.webhook_targets).where(
    _targets.target == bindparam("of_target"), _targets.owner == bindparam("me")
)
_SAVE = _OWN.values(positions=bindparam("reached"))
_RELEASE = _OWN.values(owner=NOBODY)

_COLUMNS = (
    _letters.target,
    _letters.event_id,
    _letters.event_type,
    _letters.body,
    _letters.attempts,
    _letters.reason,
    _letters.died_at,
    _letters.id,
)
_KNOWN = select(_letters.id).where(
    _letters.target == bindparam("of_target"), _letters.event_id == bindparam("of_event")
)
_BURY = insert(schema.webhook_letters)
_WAITING = (
    select(*_COLUMNS)
    .where(_letters.target == bindparam("of_target"), _letters.is_waiting)
    .order_by(_letters.id)
    .limit(bindparam("limit"))
)
_DEAD = (
    select(*_COLUMNS).where(~_letters.is_waiting).order_by(_letters.id).limit(bindparam("limit"))
)
_COUNT = select(_letters.target, func.count()).where(~_letters.is_waiting).group_by(_letters.target)
_OLD = (
    select(_letters.id)
    .where(_letters.died_at < bindparam("horizon"))
    .order_by(_letters.died_at)
    .limit(bindparam("limit"))
)
_BY_NUMBER = _letters.id == bindparam("number")
_FORGET = delete(schema.webhook_letters).where(_BY_NUMBER)
_WAIT = update(schema.webhook_letters).values(is_waiting=True)
_WAIT_ONE = _WAIT.where(_BY_NUMBER, ~_letters.is_waiting)
_WAIT_ALL = _WAIT.where(~_letters.is_waiting)
_KEEP = update(schema.webhook_letters).where(_BY_NUMBER).values(is_waiting=False)


class StoredWebhooks:
    """The book of webhooks in a database. Every method but `forget` raises RecordsError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lead(self, target: str, owner: str, now: datetime, until: datetime) -> bool:
        """See WebhookBook."""
        return await self._write(lambda connection: _lead(connection, target, owner, now, until))

    async def positions(self, target: str) -> Positions | None:
        """See WebhookBook."""
        row = await self._read(lambda connection: connection.row(_POSITIONS, {"of_target": target}))
        found: Positions | None = None if row is None else row[0]
        return found

    async def save(self, target: str, owner: str, positions: Positions) -> bool:
        """See WebhookBook."""
        values = {"of_target": target, "me": owner, "reached": dict(positions)}
        return await self._write(lambda connection: connection.run(_SAVE, values)) == 1

    async def release(self, target: str, owner: str) -> None:
        """See WebhookBook."""
        values = {"of_target": target, "me": owner}
        await self._write(lambda connection: connection.run(_RELEASE, values))

    async def bury(self, letter: DeadLetter) -> None:
        """See WebhookBook."""
        await self._write(lambda connection: _bury(connection, letter))

    async def waiting_letters(self, target: str, limit: int) -> Sequence[DeadLetter]:
        """See WebhookBook."""
        values = {"of_target": target, "limit": limit}
        rows = await self._read(lambda connection: connection.rows(_WAITING, values))
        return [_to_letter(row) for row in rows]

    async def settle(self, number: int, *, is_delivered: bool) -> None:
        """See WebhookBook."""
        statement = _FORGET if is_delivered else _KEEP
        await self._write(lambda connection: connection.run(statement, {"number": number}))

    async def count_dead(self, targets: Collection[str]) -> Mapping[str, int]:
        """See WebhookBook."""
        rows = await self._read(lambda connection: connection.rows(_COUNT, {}))
        found: dict[str, int] = {str(target): int(count) for target, count in rows}
        return {target: found.get(target, 0) for target in targets}

    # -- for operators ----------------------------------------------------------------------------

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """At most `limit` dead letters of all targets, oldest first."""
        rows = await self._read(lambda connection: connection.rows(_DEAD, {"limit": limit}))
        return [_to_letter(row) for row in rows]

    async def retry(self, numbers: Collection[int] | None) -> int:
        """Let dead letters wait for another try, all for None; returns how many there were."""
        if numbers is None:
            return await self._write(lambda connection: connection.run(_WAIT_ALL, {}))
        rows = [{"number": number} for number in numbers]
        return await self._write(
            lambda connection: sum(connection.run(_WAIT_ONE, row) for row in rows)
        )

    async def forget(self, horizon: datetime, limit: int) -> int:
        """Delete at most `limit` letters that died before this moment; returns how many."""
        return await self._database.write(lambda connection: _forget(connection, horizon, limit))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._database.read(work)
        except StoreError as error:
            raise RecordsError(str(error)) from error

    async def _write(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._database.write(work)
        except StoreError as error:
            raise RecordsError(str(error)) from error


def _lead(connection: Connection, target: str, owner: str, now: datetime, until: datetime) -> bool:
    if connection.row(_LEADER, {"of_target": target}) is None:
        row = {"target": target, "positions": None, "owner": owner, "leads_until": until}
        connection.run(_ADD_TARGET, row)
        return True
    values = {"of_target": target, "me": owner, "now": now, "until": until}
    return connection.run(_LEAD, values) == 1


def _bury(connection: Connection, letter: DeadLetter) -> None:
    # What was delivered again after a crash may be given up again.
    known = {"of_target": letter.target, "of_event": letter.event_id}
    if connection.row(_KNOWN, known) is None:
        connection.run(
            _BURY,
            {
                "target": letter.target,
                "event_id": letter.event_id,
                "event_type": letter.event_type,
                "body": letter.body,
                "attempts": letter.attempts,
                "reason": letter.reason[:MAX_REASON],
                "died_at": letter.died_at,
                "is_waiting": False,
            },
        )


def _forget(connection: Connection, horizon: datetime, limit: int) -> int:
    old = connection.rows(_OLD, {"horizon": horizon, "limit": limit})
    return connection.run(_FORGET, *({"number": number} for (number,) in old))


def _to_letter(row: list[Any]) -> DeadLetter:
    row[3] = bytes(row[3])
    return DeadLetter(*row)
