"""The wallboard's news: what each viewer is told, and when nobody looks."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from fastagi_server.api.board import KEPT_CHANGES, Board, difference
from fastagi_server.store.errors import StoreError

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Looks:
    """States that are looked at, one after another; the last one stays."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.count = 0

    async def look(self) -> dict[str, Any]:
        """The next state; an exception is raised."""
        self.count += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return {"at": AT, "figures": {}, "calls": [], **state}


def parsed(events: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Kind and data of each event."""
    found: list[tuple[str, dict[str, Any]]] = []
    for event in events.decode().split("\n\n")[:-1]:
        kind, _, data = event.split("\n")
        document = orjson.loads(data.removeprefix("data: "))
        document.pop("at")
        found.append((kind.removeprefix("event: "), document))
    return found


async def next_news(board: Board, seen: int | None) -> tuple[int | None, bytes]:
    """What a viewer hears next."""
    async with asyncio.timeout(5):
        while not (found := board.news(seen))[1]:
            await board.wait(1)
    return found


async def test_first_all_then_changes() -> None:
    """A viewer hears the whole board once, and of changes only what they are."""
    looks = Looks({"figures": {"mos": 4}}, {"figures": {"mos": 4}, "calls": [{"id": "a"}]})
    board = Board(looks.look, interval_seconds=0)
    with board.viewing():
        seen, events = await next_news(board, None)
        assert parsed(events) == [("board", {"figures": {"mos": 4}, "calls": []})]
        seen, events = await next_news(board, seen)
        change = {"set": [{"id": "a"}], "gone": []}
        assert parsed(events) == [("change", {"calls": change})]
        assert board.news(seen) == (seen, b"")


async def test_a_slow_viewer_gets_all_of_it() -> None:
    """Who has missed more changes than are kept hears the whole board again."""
    looks = Looks(*({"figures": {"n": n}} for n in range(KEPT_CHANGES + 5)))
    board = Board(looks.look, interval_seconds=0)
    with board.viewing():
        slow, _ = await next_news(board, None)
        seen = slow
        while seen is None or seen < KEPT_CHANGES + 5:
            seen, _ = await next_news(board, seen)
        assert parsed(board.news(slow)[1]) == [
            ("board", {"figures": {"n": KEPT_CHANGES + 4}, "calls": []})
        ]
        few = [kind for kind, _ in parsed(board.news(seen - 3)[1])]
        assert few == ["change"] * 3


async def test_nobody_looks_without_viewers() -> None:
    """The looks end with the last viewer, and what was seen is forgotten."""
    looks = Looks({})
    board = Board(looks.look, interval_seconds=0)
    with board.viewing(), board.viewing():
        await next_news(board, None)
    count = looks.count
    for _ in range(5):
        await asyncio.sleep(0)
    assert looks.count == count
    assert board.news(None) == (None, b"")


async def test_a_failed_look_is_repeated() -> None:
    """Whatever a look fails with, the next one is taken."""
    looks = Looks(StoreError("away"), RuntimeError("wrong"), {"figures": {"mos": 3}})
    board = Board(looks.look, interval_seconds=0)
    with board.viewing():
        _, events = await next_news(board, None)
    assert parsed(events) == [("board", {"figures": {"mos": 3}, "calls": []})]
    assert looks.count == 3


async def test_snapshots_are_shared() -> None:
    """Those who ask at once share one look; who asks later has a new one."""
    looks = Looks({}, {"figures": {"mos": 1}})
    board = Board(looks.look)
    first, second = await asyncio.gather(board.snapshot(), board.snapshot())
    assert first is second
    assert (await board.snapshot())["figures"] == {"mos": 1}
    assert looks.count == 2


async def test_no_more_than_so_many() -> None:
    """There is room for so many viewers, and for none once the board is closed."""
    board = Board(Looks({}).look, max_viewers=1)
    rooms = [board.has_room]
    with board.viewing():
        rooms.append(board.has_room)
    rooms.append(board.has_room)
    board.close()
    rooms.append(board.has_room)
    assert rooms == [True, False, True, False]


async def test_closing_wakes_viewers() -> None:
    """Who waits for news is let go at once."""
    board = Board(Looks({}).look)
    waiting = asyncio.create_task(board.wait(60))
    await asyncio.sleep(0)
    board.close()
    async with asyncio.timeout(5):
        await waiting
    assert board.is_closed


async def test_who_waits_after_the_end_waits() -> None:
    """The end wakes those who wait then; it is no news for ever, which somebody would spin on."""
    board = Board(Looks({}).look)
    board.close()
    waiting = asyncio.create_task(board.wait(60))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({"calls": []}, {"calls": []}, None),
        ({"calls": None}, {"calls": [{"id": 1}]}, {"calls": [{"id": 1}]}),
        ({"calls": [{"id": 1}]}, {"calls": None}, {"calls": None}),
        (
            {"calls": [{"id": 1, "s": "a"}, {"id": 2}, {"id": 3}]},
            {"calls": [{"id": 1, "s": "b"}, {"id": 2}, {"id": 4}]},
            {"calls": {"set": [{"id": 1, "s": "b"}, {"id": 4}], "gone": [3]}},
        ),
        ({"errors": [1]}, {"errors": [2, 1]}, {"errors": [2, 1]}),
    ],
)
def test_differences(
    before: dict[str, Any], after: dict[str, Any], change: dict[str, Any] | None
) -> None:
    """Of a keyed list what is new, other or gone is told, of the rest all; of the time nothing."""
    expected = {"at": 2, **change} if change else {}
    assert difference({"at": 1, **before}, {"at": 2, **after}) == expected
