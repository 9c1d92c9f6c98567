"""Laws of presence, for any order of things."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.api.socket_frames import KINDS, FrameError, read_frame
from fastagi_server.presence.book import PresenceBook
from fastagi_server.presence.channels import Channels
from fastagi_server.presence.frames import Form, Frame
from fastagi_server.presence.models import Status
from fastagi_server.telemetry.measures import Measures


class Silence:
    """A listener that does nothing."""

    def tell(self, frame: Frame) -> None:
        """Ignore it."""


EARS = tuple(Silence() for _ in range(4))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "leave", "say", "call", "hang up"]),
        st.integers(0, 3),
        st.sampled_from(list(Status)),
    ),
    max_size=40,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(STEPS)
async def test_seen_as_he_said_and_did(steps: list[tuple[str, int, Status]]) -> None:
    """A user with a socket is offline only if he says so; on a call, he is never free."""
    book = PresenceBook(measures=Measures(), gone_seconds=3600.0)
    book.enter("alice", EARS[0])
    there, calls, said = {0}, set[int](), None
    for step, number, status in steps:
        match step:
            case "enter":
                book.enter("alice", EARS[number])
                there.add(number)
            case "leave":
                book.leave("alice", EARS[number])
                there.discard(number)
            case "say":
                book.say("alice", status)
                said = status
            case _:
                book.occupy("alice", str(number), is_on=step == "call")
                (calls.add if step == "call" else calls.discard)(number)
        presence = book.get("alice")
        assert presence is not None
        if there and said is not Status.OFFLINE:
            assert presence.status is not Status.OFFLINE
        if calls:
            assert presence.status not in {Status.ONLINE, Status.AWAY}
        if not there and not calls:
            assert presence.status is Status.OFFLINE
        assert book.is_reachable("alice") == bool(there)
    book.close()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from("abc")), max_size=40))
def test_channels_hold_who_listens(steps: list[tuple[bool, int, str]]) -> None:
    """After any coming and going there are as many channels as somebody listens on."""
    channels = Channels(measures=Measures())
    model: set[tuple[int, str]] = set()
    for comes, number, name in steps:
        if comes:
            channels.subscribe(name, EARS[number])
            model.add((number, name))
        else:
            channels.unsubscribe(name, EARS[number])
            model.discard((number, name))
        assert len(channels) == len({name for _, name in model})
    for ear in EARS:
        channels.leave(ear)
    assert len(channels) == 0


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_frame_or_refused(text: str) -> None:
    """Whatever a client sends is read, or refused, and nothing else is raised."""
    with suppress(FrameError):
        read_frame(text)


@given(
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.text(), JSON, max_size=5),
    st.sampled_from(Form),
)
def test_any_fields_are_read_or_refused(kind: str, fields: dict[str, Any], form: Form) -> None:
    """A known kind with any fields, in either form, is read or refused."""
    content = {"type": kind, **fields} if form is Form.FLAT else {kind: fields}
    with suppress(FrameError):
        _, order = read_frame(json.dumps(content))
        assert type(order).__name__ == fields.get("type", kind)
