"""What is kept of messages, and for how long."""

import pytest
from exchange_stage import NOON

from fastagi_server.signaling.mailbox import MAX_MAILBOX_BYTES, MESSAGE_BYTES, Mailbox, Mailboxes
from fastagi_server.signaling.models import SignalKind, SignalMessage
from fastagi_server.telemetry.measures import Measures


def a_message(
    number: int, call_id: str = "one", *, to_user: str = "bob", kind: SignalKind = SignalKind.OFFER
) -> SignalMessage:
    """A message from alice."""
    return SignalMessage(f"id-{number}", call_id, "alice", to_user, kind, {}, number, NOON)


def numbers(box: Mailbox | None, user: str = "bob", after: int = 0) -> list[int]:
    """The numbers of what a user finds in a mailbox."""
    assert box is not None
    return [message.sequence_number for message in box.messages(user, after)]


@pytest.fixture
def measures() -> Measures:
    """Where drops are counted."""
    return Measures()


def test_hundred_messages(measures: Measures) -> None:
    """Of a call the last hundred messages are kept, and those that fall out are counted."""
    boxes = Mailboxes(measures=measures)
    for number in range(1, 104):
        boxes.add(a_message(number), 10)
    assert numbers(boxes.find("one")) == list(range(4, 104))
    assert measures.drops.values == {("signaling_message",): 3}


def test_bytes_of_a_mailbox(measures: Measures) -> None:
    """Large messages push out old ones before there are a hundred."""
    boxes = Mailboxes(measures=measures)
    for number in range(1, 11):
        boxes.add(a_message(number), MAX_MAILBOX_BYTES // 4 - MESSAGE_BYTES)
    assert numbers(boxes.find("one")) == [7, 8, 9, 10]
    assert measures.drops.values == {("signaling_message",): 6}


def test_number_of_mailboxes(measures: Measures) -> None:
    """Where there are too many, the one that nothing came into for longest goes."""
    boxes = Mailboxes(measures=measures, max_mailboxes=2)
    for number, call_id in enumerate(("one", "two", "one", "three")):
        boxes.add(a_message(number, call_id), 10)
    assert boxes.find("two") is None
    assert numbers(boxes.find("one"), after=-1) == [0, 2]
    assert measures.drops.values == {("signaling_mailbox",): 1}


def test_ended_calls_go_first(measures: Measures) -> None:
    """A call that goes on keeps its messages as long as there are calls that have ended."""
    boxes = Mailboxes(measures=measures, max_mailboxes=2)
    boxes.add(a_message(1, "one"), 10)
    boxes.add(a_message(2, "two"), 10)
    boxes.end("two")
    boxes.add(a_message(3, "three"), 10)
    assert numbers(boxes.find("one")) == [1]
    assert boxes.find("two") is None


def test_bytes_of_all(measures: Measures) -> None:
    """All mailboxes together have a limit, which each takes from."""
    boxes = Mailboxes(measures=measures, max_total_bytes=2 * (MESSAGE_BYTES + 10))
    for number, call_id in enumerate(("one", "two", "three")):
        boxes.add(a_message(number, call_id), 10)
    assert boxes.find("one") is None
    assert numbers(boxes.find("three")) == [2]
    boxes.forget("two")
    boxes.add(a_message(4, "four"), 10)
    assert numbers(boxes.find("three")) == [2]


def test_smallest_limit(measures: Measures) -> None:
    """The message that came last is kept, however small the room is."""
    boxes = Mailboxes(measures=measures, max_total_bytes=1)
    boxes.add(a_message(1), 10)
    assert numbers(boxes.find("one")) == [1]


def test_late_message(measures: Measures) -> None:
    """What comes after the end of a call is kept as long as the rest."""
    time = 0.0
    boxes = Mailboxes(measures=measures, clock=lambda: time)
    boxes.add(a_message(1), 10)
    boxes.end("one")
    time = 500.0
    boxes.add(a_message(2, kind=SignalKind.HANGUP), 10)
    boxes.end("one")
    assert numbers(boxes.find("one")) == [1, 2]
    time = 600.0
    assert boxes.find("one") is None
    assert measures.drops.values == {}


def test_who_has_not_heard() -> None:
    """Those who take part hear of the end, unless they were told, or Asterisk tells them."""
    box = Mailbox()
    box.add(a_message(1, to_user="bob"), 10)
    box.add(a_message(2, to_user="carol"), 10)
    box.add(a_message(3, to_user="carol", kind=SignalKind.HANGUP), 10)
    box.add(a_message(4, to_user="dora"), 10)
    box.at_asterisk.add("dora")
    assert box.unaware() == {"alice", "bob"}
