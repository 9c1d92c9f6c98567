"""Items are handled in order for each key, and keys do not wait for each other."""

import asyncio

import pytest

from fastagi_server.ari.dispatch import OrderedDispatch
from fastagi_server.telemetry.measures import Measures


class Stage:
    """A dispatch of words `key:text` whose handler waits for its gate when there is one."""

    def __init__(
        self, *, key_limit: int = 5, total_limit: int = 100, handler_seconds: float = 30.0
    ) -> None:
        self.handled: list[str] = []
        self.overflown: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.measures = Measures()
        self.dispatch = OrderedDispatch[str](
            self._handle,
            key=lambda item: item.partition(":")[0],
            on_overflow=self.overflown.append,
            measures=self.measures,
            key_limit=key_limit,
            total_limit=total_limit,
            handler_seconds=handler_seconds,
        )

    async def _handle(self, key: str, item: str) -> None:
        if item.endswith("!"):
            raise ValueError(item)
        if key in self.gates:
            await self.gates[key].wait()
        self.handled.append(item)

    def close_gate(self, key: str) -> asyncio.Event:
        """Let the handler of a key wait."""
        self.gates[key] = asyncio.Event()
        return self.gates[key]

    def put(self, *items: str) -> None:
        """Give items."""
        for item in items:
            self.dispatch.put(item)


async def test_items_of_a_key_are_handled_in_order() -> None:
    """One after another, each to its end."""
    stage = Stage()
    stage.put("a:1", "a:2", "a:3")
    await stage.dispatch.idle()
    assert stage.handled == ["a:1", "a:2", "a:3"]


async def test_a_key_that_waits_holds_up_no_other() -> None:
    """A slow call is its own problem."""
    stage = Stage()
    gate = stage.close_gate("a")
    stage.put("a:1", "b:1", "a:2", "b:2")
    async with asyncio.timeout(5):
        while stage.handled != ["b:1", "b:2"]:  # noqa: ASYNC110 - the handler has no event
            await asyncio.sleep(0)
    gate.set()
    await stage.dispatch.idle()
    assert stage.handled == ["b:1", "b:2", "a:1", "a:2"]


async def test_a_key_without_work_costs_nothing() -> None:
    """Its queue and its task are gone."""
    stage = Stage()
    stage.put("a:1", "b:1")
    assert stage.dispatch.keys == 2
    await stage.dispatch.idle()
    assert (stage.dispatch.keys, stage.dispatch.waiting) == (0, 0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("ari_event")]


async def test_a_failed_item_does_not_stop_the_next() -> None:
    """What a handler raises is logged."""
    stage = Stage()
    stage.put("a:1!", "a:2")
    await stage.dispatch.idle()
    assert stage.handled == ["a:2"]


async def test_a_handler_without_end_is_cancelled() -> None:
    """After its time, so that the next item has a turn."""
    stage = Stage(handler_seconds=0.01)
    stage.close_gate("a")
    stage.put("a:1", "b:1")
    await stage.dispatch.idle()
    assert stage.handled == ["b:1"]
    assert stage.dispatch.keys == 0


async def test_more_than_the_limit_of_a_key_is_dropped_counted_and_told_once() -> None:
    """The first items are kept: the owner reconciles the key."""
    stage = Stage(key_limit=2)
    gate = stage.close_gate("a")
    stage.put("a:1")
    await asyncio.sleep(0)
    stage.put("a:2", "a:3", "a:4", "a:5")
    assert stage.overflown == ["a"]
    assert stage.measures.drops.values == {("ari_event",): 2.0}
    gate.set()
    await stage.dispatch.idle()
    assert stage.handled == ["a:1", "a:2", "a:3"]


async def test_an_overflow_after_an_overflow_is_told_again() -> None:
    """Once the queue had emptied, it is another one."""
    stage = Stage(key_limit=1)
    for _ in range(2):
        gate = stage.close_gate("a")
        stage.put("a:1")
        await asyncio.sleep(0)
        stage.put("a:2", "a:3")
        gate.set()
        await stage.dispatch.idle()
    assert stage.overflown == ["a", "a"]


async def test_there_is_a_limit_for_all_keys_together() -> None:
    """A storm of many keys is bounded as well."""
    stage = Stage(total_limit=3)
    stage.put("a:1", "b:1", "c:1", "d:1", "d:2")
    assert stage.dispatch.waiting == 3
    assert stage.overflown == ["d"]
    await stage.dispatch.idle()
    assert stage.handled == ["a:1", "b:1", "c:1"]
    stage.put("d:3")
    await stage.dispatch.idle()
    assert stage.handled[-1] == "d:3"


async def test_closing_gives_up_what_waits() -> None:
    """Handlers at work are cancelled; afterwards nothing is left."""
    stage = Stage()
    stage.close_gate("a")
    stage.put("a:1", "a:2", "b:1")
    await asyncio.sleep(0)
    await stage.dispatch.close()
    assert stage.handled == ["b:1"]
    assert (stage.dispatch.keys, stage.dispatch.waiting) == (0, 0)


@pytest.mark.parametrize("count", [1, 50])
async def test_items_put_by_a_handler_are_handled(count: int) -> None:
    """Also for its own key, after what waits already."""
    handled: list[int] = []
    dispatch: OrderedDispatch[int]

    async def handle(_key: str, item: int) -> None:
        handled.append(item)
        if item < count:
            dispatch.put(item + 1)

    dispatch = OrderedDispatch[int](
        handle, key=lambda _: "k", on_overflow=lambda _: None, measures=Measures()
    )
    dispatch.put(1)
    await dispatch.idle()
    assert handled == list(range(1, count + 1))
