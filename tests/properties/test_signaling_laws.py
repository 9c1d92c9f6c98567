"""Laws of mailboxes, whatever is sent by whom and read whenever."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.signaling.mailbox import (
    MAX_MAILBOX_BYTES,
    MAX_MESSAGES,
    MESSAGE_BYTES,
    Mailboxes,
)
from fastagi_server.signaling.models import SignalKind, SignalMessage
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALLS = ("one", "two", "three")
USERS = ("alice", "bob")

Sending = tuple[str, str, int]
sendings = st.lists(
    st.tuples(st.sampled_from(CALLS), st.sampled_from(USERS), st.integers(2, 65_536)), max_size=300
)


def a_message(number: int, call_id: str, to_user: str) -> SignalMessage:
    """A message of that number."""
    return SignalMessage("id", call_id, "carol", to_user, SignalKind.MUTE, {}, number, NOON)


@given(sendings)
def test_limits_hold(sent: list[Sending]) -> None:
    """No mailbox and not all of them hold more than they may, and each drop is counted."""
    measures = Measures()
    boxes = Mailboxes(measures=measures, max_mailboxes=2, max_total_bytes=700_000)
    for number, (call_id, user, size) in enumerate(sent, start=1):
        boxes.add(a_message(number, call_id, user), size)
        found = [box for box in map(boxes.find, CALLS) if box is not None]
        assert len(found) <= 2
        assert sum(box.size for box in found) <= 700_000
        for box in found:
            kept = [each for user in USERS for each in box.messages(user, 0)]
            assert len(kept) <= MAX_MESSAGES
            assert len(kept) * MESSAGE_BYTES <= box.size <= MAX_MAILBOX_BYTES
        assert number in {
            each.sequence_number for box in found for each in box.messages(user, number - 1)
        }


@given(st.lists(st.tuples(st.sampled_from(USERS), st.booleans()), max_size=90))
def test_each_message_is_read_once_in_order(steps: list[tuple[str, bool]]) -> None:
    """A reader who goes on behind what he has read finds each of his messages once, in order."""
    boxes = Mailboxes(measures=Measures())
    cursor, read = 0, list[int]()
    for number, (user, looks) in enumerate((*steps, ("bob", True)), start=1):
        boxes.add(a_message(number, "one", user), 2)
        box = boxes.find("one")
        if looks and box is not None:
            found = [each.sequence_number for each in box.messages("alice", cursor)]
            read += found
            cursor = max([cursor, *found])
    assert read == [number for number, (user, _) in enumerate(steps, start=1) if user == "alice"]
