"""The deliveries of one target: order, retries, dead letters, and what is noted when."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from fastagi_server.events.filters import TypeFilter
from fastagi_server.events.ports import DeadLetter, Logged, Positions
from fastagi_server.telemetry.measures import Measures
from fastagi_server.webhooks.delivery import MAX_STRIKES, Delivery
from fastagi_server.webhooks.target import Attempt, Poster, Target
from tests.unit.events.memory_logs import NOON, MemoryBook, MemoryLogs, MemoryReading


class Stage:
    """A target in process; `answer` gives its status for each event, and pauses take no time."""

    def __init__(self) -> None:
        self.logs = MemoryLogs()
        self.book = MemoryBook(noted={"call": 0})
        self.measures = Measures()
        self.got = asyncio.Queue[str]()
        self.answer: Callable[[Any], int] = lambda _: 200
        self.now: datetime = NOON
        self.types = TypeFilter()

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        event = json.loads(request.content)
        status = self.answer(event)
        self.got.put_nowait(f"{event['id']} {event['type']} {event['call']} {status}")
        return httpx.Response(status)

    async def take(self, number: int) -> list[str]:
        """The next requests."""
        return [await self.got.get() for _ in range(number)]

    async def noted(self, number: int) -> None:
        """Wait until all up to this line is noted as told."""
        while self.book.noted != {"call": number}:
            self.book.saved.clear()
            await self.book.saved.wait()

    def dead(self) -> list[tuple[str, int, str]]:
        """The dead letters."""
        return [(each.event_id, each.attempts, each.reason) for each in self.book.letters]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Delivery]:
        """Deliver until the context is left."""
        transport = httpx.MockTransport(self._handle)
        target = Target("billing", "http://billing/hook", types=self.types)
        async with httpx.AsyncClient(transport=transport) as client:
            delivery = Delivery(
                target,
                Poster(target, client),
                self.logs,
                self.book,
                measures=self.measures,
                max_age_seconds=3600,
                owner="me",
                sleep=lambda _: asyncio.sleep(0),
                now=lambda: self.now,
            )
            task = asyncio.create_task(delivery.run())
            try:
                yield delivery
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def stage() -> Stage:
    """A target that was told of nothing yet."""
    return Stage()


async def test_events_are_told_in_order_for_each_call(stage: Stage) -> None:
    """Each event is told once, a call's events one after another, and then noted."""
    for event_type in ("call.created", "call.connected", "call.ended"):
        for call in ("a", "b"):
            stage.logs.add(event_type, call)
    async with stage.running():
        got = await stage.take(6)
        await stage.noted(6)
    assert [each for each in got if " a " in each] == [
        "call-1 call.created a 200",
        "call-3 call.connected a 200",
        "call-5 call.ended a 200",
    ]
    assert len([each for each in got if " b " in each]) == 3
    assert stage.measures.webhook_deliveries.values == {("billing", "delivered"): 6.0}
    assert stage.measures.webhook_lag_seconds.values == {("billing",): 0.0}


async def test_a_new_target_is_told_of_what_comes(stage: Stage) -> None:
    """What happened before a target was named is not told; where it begins is noted at once."""
    stage.book.noted = None
    stage.logs.add("call.created", "old")
    async with stage.running():
        await stage.noted(1)
        stage.logs.add("call.created", "a")
        assert await stage.take(1) == ["call-2 call.created a 200"]


async def test_only_wanted_types_are_told(stage: Stage) -> None:
    """What a target does not want counts as told."""
    stage.types = TypeFilter(["call.ended"])
    stage.logs.add("call.created", "a")
    stage.logs.add("call.ended", "a")
    async with stage.running():
        assert await stage.take(1) == ["call-2 call.ended a 200"]
        await stage.noted(2)


async def test_a_failure_is_tried_again_before_the_next_event(stage: Stage) -> None:
    """Later events of the call wait for the one that fails; other calls do not."""
    answers = iter((500, 503, 200))
    stage.answer = lambda event: next(answers) if event["id"] == "call-1" else 200
    for call in ("a", "a", "b"):
        stage.logs.add("call.ringing", call)
    async with stage.running():
        got = await stage.take(5)
        await stage.noted(3)
    assert [each for each in got if " a " in each] == [
        "call-1 call.ringing a 500",
        "call-1 call.ringing a 503",
        "call-1 call.ringing a 200",
        "call-2 call.ringing a 200",
    ]
    assert stage.dead() == []


async def test_nothing_is_noted_past_what_is_on_its_way(stage: Stage) -> None:
    """What was not told when the process dies is told by the next one."""
    stage.answer = lambda event: 500 if event["call"] == "a" else 200
    for call in ("b", "a", "b"):
        stage.logs.add("call.ringing", call)
    stage.now = NOON + timedelta(seconds=30)
    async with stage.running():
        while stage.measures.webhook_deliveries.values.get(("billing", "delivered")) != 2.0:
            await stage.take(1)
        await stage.noted(1)
        assert stage.measures.webhook_lag_seconds.values == {("billing",): 30.0}
    assert stage.book.owner is None
    stage.got = asyncio.Queue()
    stage.answer = lambda _: 200
    async with stage.running():
        assert sorted(await stage.take(2)) == [
            "call-2 call.ringing a 200",
            "call-3 call.ringing b 200",
        ]
        await stage.noted(3)


@pytest.mark.parametrize("status", [400, 410, 413, 422])
async def test_a_refused_event_is_a_dead_letter(stage: Stage, status: int) -> None:
    """A target that says never is not asked again, and the next event is told."""
    stage.answer = lambda event: status if event["id"] == "call-1" else 200
    stage.logs.add("call.created", "a")
    stage.logs.add("call.ended", "a")
    async with stage.running():
        await stage.take(2)
        await stage.noted(2)
    assert stage.dead() == [("call-1", 1, f"status {status}")]


async def test_an_event_that_only_fails_gets_strikes(stage: Stage) -> None:
    """An event that fails while the target takes others is given up after ten of these."""
    stage.answer = lambda event: 500 if event["call"] == "a" else 200
    stage.logs.add("call.ended", "a")
    async with stage.running():
        while not stage.book.letters:
            stage.logs.add("call.ended", "b")
            await stage.take(2)
    ((event_id, attempts, reason),) = stage.dead()
    assert (event_id, reason) == ("call-1", "status 500")
    assert attempts >= MAX_STRIKES


async def test_a_target_that_is_down_gets_no_strikes(stage: Stage) -> None:
    """While a target takes nothing events wait, until they are too old."""
    stage.answer = lambda _: 500
    stage.logs.add("call.ended", "a")
    with capture_logs() as lines:
        async with stage.running():
            await stage.take(50)
            assert stage.dead() == []
            stage.now = NOON + timedelta(hours=2)
            await stage.book.buried.wait()
    assert [event_id for event_id, _, _ in stage.dead()] == ["call-1"]
    events = [line["event"] for line in lines]
    assert events.count("webhook_target_failing") == 1
    assert events.count("webhook_given_up") == 1


async def test_a_letter_is_buried_even_when_the_book_is_busy(stage: Stage) -> None:
    """An event that is given up is not lost because the records are away for a moment."""
    stage.answer = lambda _: 410
    stage.book.refusals = 3
    stage.logs.add("call.ended", "a")
    async with stage.running():
        await stage.book.buried.wait()
        await stage.noted(1)
    assert stage.dead() == [("call-1", 1, "status 410")]


async def test_one_process_leads(stage: Stage) -> None:
    """Who does not lead tells nobody, is behind with nothing, and takes over from who has gone."""
    stage.book.owner = "another"
    stage.measures.webhook_lag_seconds.set(30.0, "billing")
    stage.logs.add("call.ended", "a")
    async with stage.running():
        for _ in range(20):
            await asyncio.sleep(0)
        assert stage.got.empty()
        assert stage.measures.webhook_lag_seconds.values == {("billing",): 0.0}
        stage.book.owner = None
        assert await stage.take(1) == ["call-1 call.ended a 200"]


async def test_a_lost_lead_ends_the_deliveries(stage: Stage) -> None:
    """Who finds that another one leads stops, and tells again what was not noted once he may."""
    stage.logs.add("call.ended", "a")

    def answer(_: Any) -> int:
        stage.book.owner = "another"
        return 200

    stage.answer = answer
    with capture_logs() as lines:
        async with stage.running():
            await stage.take(1)
            while not lines:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
    assert lines[0]["event"] == "webhook_postponed"
    assert lines[0]["reason"] == "another process leads"


async def test_records_that_are_away_are_waited_for(stage: Stage) -> None:
    """A delivery goes on when the records are back."""
    stage.logs.is_away = True
    stage.logs.add("call.ended", "a")
    async with stage.running():
        for _ in range(20):
            await asyncio.sleep(0)
        stage.logs.is_away = False
        assert await stage.take(1) == ["call-1 call.ended a 200"]


async def test_dead_letters_are_sent_again_when_asked(stage: Stage) -> None:
    """What somebody wants sent again is sent once, as it was."""
    body = b'{"id":"call-7","type":"call.ended","call":"z"}'
    letter = DeadLetter("billing", "call-7", "call.ended", body, 1, "status 410", NOON, 3)
    stage.book.waiting = [letter]
    async with stage.running():
        assert await stage.take(1) == ["call-7 call.ended z 200"]
        while stage.book.waiting:
            stage.book.saved.clear()
            await stage.book.saved.wait()
    assert stage.measures.webhook_dead_letters.values == {("billing",): 0.0}


async def test_a_long_log_is_read_with_the_lease_in_mind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far it is done is noted on the way, so that whoever takes over need not begin anew."""
    noted: list[int] = []
    save = MemoryBook.save

    async def listen(book: MemoryBook, target: str, owner: str, positions: Positions) -> bool:
        noted.append(positions["call"])
        return await save(book, target, owner, positions)

    monkeypatch.setattr(MemoryBook, "save", listen)
    stage.types = TypeFilter(["room.*"])
    for _ in range(2500):
        stage.logs.add("call.created", "a")
    async with stage.running():
        await stage.noted(2500)
    assert noted == [1000, 2000, 2500]


async def test_a_mistake_in_a_delivery_is_made_up_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, ends nothing else, and the event is told after all."""
    stage.logs.add("call.ended", "a")
    post, faults = Poster.post, [RuntimeError("a mistake")]

    async def stumble(poster: Poster, body: bytes, event_id: str) -> Attempt:
        if faults:
            raise faults.pop()
        return await post(poster, body, event_id)

    monkeypatch.setattr(Poster, "post", stumble)
    with capture_logs() as lines:
        async with stage.running():
            assert await stage.take(1) == ["call-1 call.ended a 200"]
            await stage.noted(1)
    assert [line["event"] for line in lines] == ["webhook_failed"]


async def test_a_mistake_while_reading_is_made_up_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that cannot be understood ends no other part of the service."""
    stage.logs.add("call.ended", "a")
    read, faults = MemoryReading.read, [KeyError("a kind of a later version")]

    async def stumble(reading: MemoryReading, limit: int) -> Sequence[Logged]:
        if faults:
            raise faults.pop()
        return await read(reading, limit)

    monkeypatch.setattr(MemoryReading, "read", stumble)
    with capture_logs() as lines:
        async with stage.running():
            assert await stage.take(1) == ["call-1 call.ended a 200"]
    assert [line["event"] for line in lines] == ["webhook_failed"]
