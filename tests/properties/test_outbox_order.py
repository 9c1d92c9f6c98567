"""Whatever happens in between, the outbox keeps the order of a call and loses nothing."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastagi_server.outbox import ledger
from fastagi_server.outbox.database import open_database
from fastagi_server.registration.documents import to_document
from fastagi_server.registration.models import Registration, provisional_call_id
from fastagi_server.registration.ports import Entry

REGISTRATION = Registration("pbx", "", "", "", "", "", "", "", (), "audio")
KINDS = ("register", "accept", "end")


class OutboxStory(RuleBasedStateMachine):
    """Appends, deliveries, failures, deaths and crashes, against a model of lists."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-story-"))
        self.db = open_database(self.folder / "outbox.db")
        self.db.execute("PRAGMA synchronous = OFF")
        self.now = 0.0
        self.waiting: dict[str, list[str]] = {}
        self.dead: list[tuple[str, str]] = []
        self.real_ids: dict[str, str] = {}

    def teardown(self) -> None:
        """Remove the file."""
        self.db.close()
        shutil.rmtree(self.folder)

    @rule(call=st.sampled_from("abc"), kind=st.sampled_from(KINDS))
    def append(self, call: str, kind: str) -> None:
        """Say something about a call."""
        registration = replace(REGISTRATION, unique_id=call)
        added = ledger.append(
            self.db, kind, registration.key, to_document(registration), self.now, 1000
        )
        kinds = self.waiting.setdefault(registration.key, [])
        assert added == (kind not in kinds)
        if added:
            kinds.append(kind)

    def due(self) -> list[Entry]:
        """What is offered now."""
        return list(ledger.backlog(self.db, self.now, 100).due)

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data(), what=st.sampled_from(["deliver", "postpone", "bury", "crash"]))
    def attempt(self, data: st.DataObject, what: str) -> None:
        """Take one of the offered entries, and see it through or not."""
        offered = self.due()
        if not offered:
            self.now += 10.0
            return
        entry = data.draw(st.sampled_from(offered))
        assert entry.kind == self.waiting[entry.key][0]
        assert entry.call_id == self.real_ids.get(entry.key)
        if what == "postpone":
            ledger.postpone(self.db, entry.number, self.now + 5.0, "api_error")
        elif what == "deliver":
            ledger.deliver(self.db, entry, f"real-{entry.key}", self.now)
            self.real_ids[entry.key] = f"real-{entry.key}"
            self.waiting[entry.key].pop(0)
        elif what == "bury":
            ledger.bury(self.db, entry, "forbidden", self.now, 1000)
            self.dead.append((entry.key, self.waiting[entry.key].pop(0)))
        else:
            self.db.execute("BEGIN IMMEDIATE")
            ledger.deliver(self.db, entry, "never", self.now)
            self.reopen()

    @rule()
    def reopen(self) -> None:
        """The process dies and another one opens the file: what was not committed is undone."""
        self.db.close()
        self.db = open_database(self.folder / "outbox.db")
        self.db.execute("PRAGMA synchronous = OFF")

    @rule()
    def retry_all(self) -> None:
        """Operators give all dead letters another chance."""
        for key, kind in self.dead:
            kinds = self.waiting.setdefault(key, [])
            if kind not in kinds:
                kinds.append(kind)
        ledger.retry(self.db, None, self.now, 1000)
        self.dead.clear()

    @rule(seconds=st.floats(0.0, 20.0))
    def time_passes(self, seconds: float) -> None:
        """The clock goes on."""
        self.now += seconds

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        """The tables hold what the model holds, in its order."""
        held: dict[str, list[str]] = {}
        for letter in ledger.pending_letters(self.db, self.now, 1000):
            held.setdefault(letter.key, []).append(letter.kind)
        assert held == {key: kinds for key, kinds in self.waiting.items() if kinds}
        dead = [(letter.key, letter.kind) for letter in ledger.dead_letters(self.db, 0.0, 1000)]
        assert dead == self.dead

    @invariant()
    def every_call_that_waits_has_one_entry_in_line(self) -> None:
        """No call is stuck: its first entry is offered now or at a known time."""
        heads = self.db.execute("SELECT call FROM entries WHERE head = 1").fetchall()
        calls = [provisional_call_id(key) for key, kinds in self.waiting.items() if kinds]
        assert sorted(call for (call,) in heads) == sorted(calls)

    @invariant()
    def figures_are_right(self) -> None:
        """The tally is what counting would give."""
        statistics = ledger.statistics(self.db, self.now)
        assert statistics.pending == sum(len(kinds) for kinds in self.waiting.values())
        assert statistics.dead == len(self.dead)


OutboxStory.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestOutboxStory = OutboxStory.TestCase
