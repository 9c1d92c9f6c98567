"""Statements composed by SQLAlchemy Core, compiled once, and run by the driver itself.

SQLAlchemy knows the tables, the types and the dialect; to run a statement through its own
connection costs ten times what SQLite takes for it. So a statement is compiled at its first use,
with the functions that turn its values into what the driver takes and back, and is run on a
connection of the driver (PEP 249) from then on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Dialect, Select, UpdateBase
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

from fastagi_server.store.errors import StoreError

Process = Callable[[Any], Any]
Values = Mapping[str, Any]
Query = Select[*tuple[Any, ...]]
Statement = Query | UpdateBase
Row = tuple[Any, ...]
T = TypeVar("T")

MAX_PREPARED = 256
"""Statements that a connection keeps compiled. The fixed ones are some dozens; the rest are the
lists, whose conditions can be combined in more ways than anybody uses."""

MAX_MADE = 1000
"""Values that a connection keeps beside the rows that they were made of: twice the longest list
that is given out, and 2 MB of calls."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled statement: SQL with positional parameters, and how its values are to be passed."""

    sql: str
    parameters: tuple[tuple[str, Any, Process | None], ...]
    columns: tuple[tuple[int, Process], ...]

    def bind(self, values: Values) -> list[Any]:
        """The parameters in the statement's order, as the driver takes them."""
        return [
            values.get(name, default) if encode is None else encode(values.get(name, default))
            for name, default, encode in self.parameters
        ]

    def read(self, row: Sequence[Any]) -> list[Any]:
        """The columns of a row that came back."""
        decoded = list(row)
        for position, decode in self.columns:
            value = decoded[position]
            if value is not None:
                decoded[position] = decode(value)
        return decoded


class Connection(ABC):
    """One connection to a database, for one thread at a time; a subclass knows the driver.

    Every method raises StoreError for what the driver raises.
    """

    _failure: ClassVar[type[Exception]]
    """The root of what the driver raises."""

    def __init__(self, driver: Any, dialect: Dialect) -> None:
        self._driver = driver
        self._dialect = dialect
        self._prepared: dict[Statement, Prepared] = {}
        self._made: dict[tuple[object, Row], Any] = {}

    def rows(self, statement: Query, values: Values) -> list[list[Any]]:
        """All rows, each with its columns in the statement's order."""
        prepared = self._prepare(statement, values)
        return [prepared.read(row) for row in self._fetch(prepared, values)]

    def objects(self, statement: Query, values: Values, make: Callable[[list[Any]], T]) -> list[T]:
        """All rows, each as what `make` makes of its columns.

        A row that is still what it was at an earlier look is not made again, which saves most of
        the time that a list takes. So rows may share a value, which nobody may change.
        """
        prepared = self._prepare(statement, values)
        found = self._fetch(prepared, values)
        if len(found) > MAX_MADE:
            return [make(prepared.read(row)) for row in found]
        return [self._make(prepared, row, make) for row in found]

    def row(self, statement: Query, values: Values) -> list[Any] | None:
        """The only row, or None when there is none."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def run(self, statement: UpdateBase, *rows: Values) -> int:
        """Run a statement for each of the rows; returns how many rows were changed."""
        if not rows:
            return 0
        prepared = self._prepare(statement, rows[0])
        try:
            with closing(self._driver.cursor()) as cursor:
                if len(rows) == 1:
                    cursor.execute(prepared.sql, prepared.bind(rows[0]))
                else:
                    cursor.executemany(prepared.sql, [prepared.bind(values) for values in rows])
                changed: int = cursor.rowcount
                return changed
        except self._failure as error:
            raise self._explain(error) from error

    def command(self, sql: str) -> Any:
        """Run SQL without parameters, such as BEGIN; returns the first value, if any comes."""
        try:
            with closing(self._driver.cursor()) as cursor:
                cursor.execute(sql)
                row = cursor.fetchone() if cursor.description else None
        except self._failure as error:
            raise self._explain(error) from error
        return None if row is None else row[0]

    def define(self, definitions: Iterable[ClauseElement]) -> None:
        """Run statements that define tables and indexes."""
        for definition in definitions:
            self.command(str(definition.compile(dialect=self._dialect)))

    def close(self) -> None:
        """Let go of the database. Closing twice is harmless."""
        self._driver.close()

    @property
    @abstractmethod
    def is_usable(self) -> bool:
        """Whether the next statement has a chance; False once the server has gone."""

    @abstractmethod
    def hold(self, name: str) -> None:
        """Within a transaction: wait for the others that hold this name, and keep them waiting.

        For what must be counted before it is added to. The name is free when the transaction ends.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """Make the statement that another thread runs on this connection fail, now."""

    @abstractmethod
    def _explain(self, error: Any) -> StoreError:
        """The store's error for the driver's."""

    def _fetch(self, prepared: Prepared, values: Values) -> Sequence[Row]:
        try:
            with closing(self._driver.cursor()) as cursor:
                found: list[Row] = cursor.execute(prepared.sql, prepared.bind(values)).fetchall()
                return found
        except self._failure as error:
            raise self._explain(error) from error

    def _make(self, prepared: Prepared, row: Row, make: Callable[[list[Any]], T]) -> T:
        key = (make, row)
        try:
            value: T = self._made[key]
        except KeyError:
            if len(self._made) >= MAX_MADE:
                self._made.clear()
            value = self._made[key] = make(prepared.read(row))
        return value

    def _prepare(self, statement: Statement, values: Values) -> Prepared:
        prepared = self._prepared.get(statement)
        if prepared is None:
            if len(self._prepared) >= MAX_PREPARED:
                self._prepared.clear()
            prepared = self._prepared[statement] = self._compile(statement, values)
        return prepared

    def _compile(self, statement: Statement, values: Values) -> Prepared:
        compiled = statement.compile(dialect=self._dialect, column_keys=list(values))
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - narrows a declared base class
        return Prepared(
            sql=str(compiled),
            parameters=tuple(
                (name, compiled.params[name], self._encoder(compiled.binds[name].type))
                for name in compiled.positiontup or ()
            ),
            columns=tuple(self._decoders(statement)),
        )

    def _encoder(self, kind: TypeEngine[Any]) -> Process | None:
        return kind.dialect_impl(self._dialect).bind_processor(self._dialect)

    def _decoders(self, statement: Statement) -> Iterable[tuple[int, Process]]:
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        for position, column in enumerate(columns):
            kind = column.type.dialect_impl(self._dialect)
            decode = kind.result_processor(self._dialect, None)
            if decode is not None:
                yield position, decode


Work = Callable[[Connection], T]
"""A unit of work. It must be pure but for its SQL, so that it may be run again after a conflict."""
