"""Whatever comes over the event socket, and in whatever order items are put."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi_server.ari.dispatch import OrderedDispatch
from fastagi_server.ari.errors import AriAnswerError
from fastagi_server.ari.events import Event, read_event
from fastagi_server.ari.subjects import bridge_of, channels_of
from fastagi_server.telemetry.measures import Measures

TYPES = st.sampled_from(
    ["StasisStart", "StasisEnd", "ChannelDestroyed", "Dial", "ChannelEnteredBridge", "Other"]
)
FIELDS = st.sampled_from(
    [
        "application",
        "args",
        "bridge",
        "caller",
        "cause",
        "channel",
        "channels",
        "creationtime",
        "dialplan",
        "id",
        "peer",
        "state",
        "timestamp",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=12,
)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_bytes_are_an_event_or_an_error(document: bytes | str) -> None:
    """No input makes anything else of the reader."""
    try:
        event = read_event(document)
    except AriAnswerError:
        return
    assert isinstance(event, Event)


@given(TYPES, st.dictionaries(FIELDS, JSON, max_size=8))
def test_json_is_an_event_or_an_error(kind: str, fields: dict[str, Any]) -> None:
    """Fields of any type, in any place where Asterisk has some."""
    try:
        event = read_event(json.dumps({**fields, "type": kind}))
    except AriAnswerError:
        return
    assert isinstance(event, Event)
    assert event.timestamp.tzinfo is not None
    assert all(channel.id for channel in channels_of(event))
    assert isinstance(bridge_of(event), str)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40),
    st.integers(1, 5),
)
@settings(deadline=None, max_examples=50)
def test_order_is_kept_for_each_key(items: list[tuple[str, int]], key_limit: int) -> None:
    """What is handled is, for each key, what was put, in order, but for what was counted."""
    handled: list[tuple[str, int]] = []
    measures = Measures()

    async def handle(_key: str, item: tuple[str, int]) -> None:
        for _ in range(item[1]):
            await asyncio.sleep(0)
        handled.append(item)

    async def run() -> None:
        dispatch = OrderedDispatch[tuple[str, int]](
            handle,
            key=lambda item: item[0],
            on_overflow=lambda _key: None,
            measures=measures,
            key_limit=key_limit,
        )
        for item in items:
            dispatch.put(item)
            await asyncio.sleep(0)
        await dispatch.idle()
        assert (dispatch.keys, dispatch.waiting) == (0, 0)

    asyncio.run(run())
    for key in "abc":
        wanted = iter([item for item in items if item[0] == key])
        assert all(item in wanted for item in handled if item[0] == key)
    dropped = measures.drops.values.get(("ari_event",), 0.0)
    assert len(handled) + dropped == len(items)
