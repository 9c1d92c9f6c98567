"""How reports of the PBX are written into records."""

from datetime import timedelta

from call_samples import NOON, a_call
from memory_records import MemoryRecords

from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import CallEvent, CallStatus, CallType, EndFacts, EventKind
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.transitions import Trigger
from fastagi_server.telemetry.measures import Measures

LATER = NOON + timedelta(seconds=3)


async def journal_of(
    status: CallStatus = CallStatus.INITIATING,
) -> tuple[CallJournal, MemoryRecords, str]:
    """A journal with one call, and that call's id."""
    records = MemoryRecords()
    call = a_call(status)
    await records.create(call, CallEvent(EventKind.CREATED, NOON, "alice", {}), None)
    return CallJournal(records=records, measures=Measures(), now=lambda: LATER), records, call.id


async def test_the_life_of_a_call() -> None:
    """Each report moves the record and is logged once, at the PBX's time."""
    journal, records, call_id = await journal_of()
    facts = EndFacts(16, "ANSWER", 1000, 2000, LATER)
    for note in (
        Note(Trigger.RING, NOON),
        Note(Trigger.RING, NOON),
        Note(Trigger.ACCEPT, LATER, actor="bob"),
        Note(Trigger.HOLD, LATER),
        Note(Trigger.RESUME, LATER),
        Note(Trigger.END, LATER, facts),
        Note(Trigger.END, LATER, EndFacts(17)),
        Note(Trigger.ACCEPT, LATER),
    ):
        await journal.note(call_id, note)
    call = records.calls[call_id]
    assert (call.status, call.answered_at, call.end_time) == ("ended", LATER, LATER)
    assert (call.hangup_cause, call.dial_status, call.answered_ms) == (16, "ANSWER", 2000)
    assert [(event.kind, event.actor) for event in records.log[call_id]] == [
        ("created", "alice"),
        ("ringing", "asterisk"),
        ("accepted", "bob"),
        ("held", "asterisk"),
        ("resumed", "asterisk"),
        ("ended", "asterisk"),
    ]


async def test_reports_that_come_too_late() -> None:
    """What the state does not allow changes nothing."""
    journal, records, call_id = await journal_of(CallStatus.CONNECTED)
    await journal.note(call_id, Note(Trigger.RING, LATER))
    await journal.note("discarded", Note(Trigger.RING, LATER))
    assert records.calls[call_id].status == "connected"
    assert len(records.log[call_id]) == 1


async def test_a_lost_call() -> None:
    """The reason is in the log; no cause is invented."""
    journal, records, call_id = await journal_of()
    await journal.note(call_id, Note(Trigger.END, LATER, EndFacts(ended_at=LATER, reason="lost")))
    assert records.calls[call_id].hangup_cause is None
    assert records.log[call_id][-1].facts == {"reason": "lost"}


async def test_how_it_sounded_is_noted_later() -> None:
    """The end stays what it was; the log has whole numbers of what was measured."""
    journal, records, call_id = await journal_of()
    await journal.note(call_id, Note(Trigger.END, NOON, EndFacts(16, ended_at=NOON)))
    quality = {"mes": 79.6, "mos": 3.98, "loss_percent": 0.4, "jitter_ms": 1.5}
    for _ in range(2):
        await journal.note(call_id, Note(Trigger.END, LATER, EndFacts(quality=quality)))
    call = records.calls[call_id]
    assert (call.quality, call.end_time, call.hangup_cause) == (quality, NOON, 16)
    assert [(event.kind, event.facts) for event in records.log[call_id]][1:] == [
        ("ended", {"hangup_cause": 16}),
        ("measured", {"mes": 80, "loss_percent": 0, "jitter_ms": 2}),
    ]


async def test_a_channel_that_was_a_call_before() -> None:
    """It is a new call, found by its own id alone, that knows its channel."""
    journal, records, _ = await journal_of()
    order = CallOrder(("SIP/1001",), CallType.AUDIO, {"asterisk_call_id": "17.4"})
    first = await journal.adopt(order)
    again = await journal.adopt_again(order)
    assert again.id != first.id
    assert again.channel is None
    assert again.metadata["asterisk_channel_id"] == "17.4"
    assert [event.kind for event in records.log[again.id]] == ["adopted"]


async def test_adopting_twice_is_adopting_once() -> None:
    """The second time gives the first call."""
    journal, records, _ = await journal_of()
    order = CallOrder(("SIP/1001",), CallType.AUDIO, {"asterisk_call_id": "17.4"})
    first = await journal.adopt(order)
    assert await journal.adopt(order) == first
    assert (first.caller_id, first.metadata["asterisk_channel_id"]) == ("asterisk", "17.4")
    assert [event.kind for event in records.log[first.id]] == ["adopted"]
    assert await journal.get(first.id) == first
    assert first in await journal.active()


async def test_what_is_known_only_after_the_end() -> None:
    """It is filled in and logged as measured: a call does not end twice."""
    journal, records, call_id = await journal_of(CallStatus.CONNECTED)
    await journal.note(call_id, Note(Trigger.END, LATER, EndFacts(16, ended_at=LATER)))
    story = EndFacts(16, "ANSWER", 1000, 2000, LATER)
    await journal.note(call_id, Note(Trigger.END, LATER, story))
    await journal.note(call_id, Note(Trigger.END, LATER, story))
    assert records.calls[call_id].answered_ms == 2000
    assert [event.kind for event in records.log[call_id]] == ["created", "ended", "measured"]
