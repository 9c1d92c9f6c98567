"""Supervision of a replayed stream whose calls are all registered."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from benchmarks.recorded_call import messages, renamed
from fastagi_server.ami.decoding import read_event
from fastagi_server.ami.events import DialBegin
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import CallStatus, CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.registry import CallRegistry
from fastagi_server.calls.sighting import Report, Sighting
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.store.opening import Store, open_store
from fastagi_server.supervision.ports import CallBook, Registered
from fastagi_server.supervision.records import RecordBook
from fastagi_server.supervision.strangers import Strangers
from fastagi_server.supervision.supervision import Supervision
from fastagi_server.telemetry.measures import Measures

SYSTEM = "pbx1"
NOTES_A_CALL = 4
"""It rings, is answered, ends, and its story is told to the end."""

TURNS = 3
"""More than a call's story waits, after its end, to be told to the end."""


class Book(CallBook, Protocol):
    """A book of calls that can be filled and looked through."""

    async def register(self, callers: Collection[str]) -> None:
        """Have these channels registered."""
        ...

    def notes(self) -> int:
        """How often a call's record was changed."""
        ...


class MemoryBook:
    """Keeps what it is told, so that what is measured is supervision alone."""

    def __init__(self) -> None:
        self._records: dict[str, list[Note]] = {}

    async def register(self, callers: Collection[str]) -> None:
        """See Book."""
        self._records = {caller: [] for caller in callers}

    def notes(self) -> int:
        """See Book."""
        return sum(map(len, self._records.values()))

    async def find(
        self,
        channels: Collection[Sighting],
        systems: Collection[str],  # noqa: ARG002 - they are CallBook's
    ) -> Mapping[str, Registered]:
        """See CallBook."""
        return {
            each.unique_id: Registered(each.unique_id, CallStatus.INITIATING)
            for each in channels
            if each.unique_id in self._records
        }

    async def active(
        self,
        systems: Collection[str],  # noqa: ARG002 - they are CallBook's
    ) -> Mapping[str, Registered]:
        """See CallBook: none, because it is asked before the first call."""
        return {}

    async def write(self, report: Report) -> None:
        """See CallBook."""
        self._records[report.sighting.unique_id].append(report.note)


class StoreBook(RecordBook):
    """The service's own book, in SQLite."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._measures = Measures()
        super().__init__(store.calls, CallJournal(records=store.calls, measures=self._measures))

    async def register(self, callers: Collection[str]) -> None:
        """See Book."""
        registry = CallRegistry(records=self._store.calls, control=None, measures=Measures())
        by = Identity("service", frozenset({Scope.SERVICE}))
        for caller in callers:
            channel = {"asterisk_call_id": caller, "asterisk_system": SYSTEM}
            await registry.create(CallOrder(("SIP/1001",), CallType.AUDIO, channel), by, None)

    def notes(self) -> int:
        """See Book."""
        return round(sum(self._measures.calls.values.values()))


@dataclass(frozen=True, slots=True)
class Supervised:
    """Supervision of so many calls, and its book."""

    supervision: Supervision
    book: Book
    calls: int

    async def register(self) -> None:
        """Register the calls, after the look at a PBX that has none of them."""
        await self.book.register([caller(number) for number in range(self.calls)])

    async def finish(self) -> None:
        """Tell every story to the end."""
        await self.supervision.idle()
        for _ in range(TURNS):
            await self.supervision.turn()
        await self.supervision.idle()

    def check(self) -> None:
        """Raise SystemExit unless all was told of every call."""
        told = self.book.notes()
        if told != NOTES_A_CALL * self.calls:
            raise SystemExit(f"of {self.calls} calls {told} notes were written")


@asynccontextmanager
async def supervise(
    calls: int, measures: Measures, *, in_store: bool
) -> AsyncGenerator[Supervised]:
    """Supervision of so many calls of the stream, as the service has it."""
    if not in_store:
        yield _supervised(MemoryBook(), calls, measures)
        return
    with TemporaryDirectory() as folder:
        async with open_store(f"sqlite:///{Path(folder) / 'calls.sqlite3'}") as store:
            yield _supervised(StoreBook(store), calls, measures)


def _supervised(book: Book, calls: int, measures: Measures) -> Supervised:
    supervision = Supervision(
        book,
        system_name=SYSTEM,
        strangers=Strangers(("*",), measures),
        measures=measures,
        is_led=lambda _: False,
    )
    return Supervised(supervision, book, calls)


def caller(number: int) -> str:
    """The unique id of the channel that calls in the `number`-th call of the stream."""
    now = datetime.now(UTC)
    for message in messages(chosen=True):
        event = read_event(renamed(message + b"\r\n", number), now)
        if isinstance(event, DialBegin) and event.caller is not None:
            return event.caller.unique_id
    raise SystemExit("nobody calls in the recorded call")
