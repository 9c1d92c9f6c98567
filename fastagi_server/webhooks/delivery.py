"""Tells one target of all events of the logs, at least once each, in order for each call and room.

    lead -> read on -> queue of each call -> attempts -> the book: up to here all was told

What was told is noted in the book only then, so that whatever was not told when this process dies
is told by the next one. Of several processes that share the records one leads a target.
"""

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from fastagi_server.events.models import encode
from fastagi_server.events.ports import (
    DeadLetter,
    EventLogs,
    Logged,
    LogReading,
    Positions,
    RecordsError,
    WebhookBook,
)
from fastagi_server.telemetry.measures import Measures
from fastagi_server.webhooks.gate import Gate, back_off_seconds
from fastagi_server.webhooks.target import CONNECTIONS, Attempt, Outcome, Poster, Target
from fastagi_server.webhooks.window import Window

LEASE_SECONDS = 15.0
"""How soon after the death of a leader another process goes on."""

TURN_SECONDS = 1.0
REST_SECONDS = 0.05
"""Between two looks at the logs and notes in the book, without a hint and with one."""

RENEW_SECONDS = 5.0
BATCH = 100
BATCHES = 10
"""What is read of each log at once, and how often until the lease and the book are seen to."""

MAX_UNDER_WAY = 500
"""Events that are read ahead of the oldest one that was not told."""

MAX_STRIKES = 10
"""How often an event may fail while the target takes others."""

MAX_AGE_SECONDS = 259_200.0

log = structlog.get_logger()


class Delivery:
    """The deliveries of one target; `run` works whenever this process leads.

    An event that fails is tried again with back-off. It becomes a dead letter when the target
    refuses it for good, when it has failed `MAX_STRIKES` times while the target took others, or at
    the age of `max_age_seconds`. A target that takes nothing gets no strikes: it may be down.
    """

    def __init__(
        self,
        target: Target,
        poster: Poster,
        logs: EventLogs,
        book: WebhookBook,
        *,
        measures: Measures,
        max_age_seconds: float = MAX_AGE_SECONDS,
        owner: str | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._target = target
        self._poster = poster
        self._logs = logs
        self._book = book
        self._measures = measures
        self._max_age = timedelta(seconds=max_age_seconds)
        self._owner = owner or secrets.token_hex(8)
        self._uniform = uniform
        self._sleep = sleep
        self._now = now
        self._hint = logs.open_hint()
        self._gate = Gate(on_change=self._report, uniform=uniform, sleep=sleep)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._window = Window()
        self._queues: dict[str, deque[Logged]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._letters: asyncio.Task[None] | None = None
        self._fault: BaseException | None = None

    async def run(self) -> None:
        """Deliver until cancelled; what cannot be read or noted now is tried again."""
        try:
            while True:
                try:
                    if await self._lead():
                        await self._work()
                    else:
                        self._measures.webhook_lag_seconds.set(0.0, self._target.name)
                except RecordsError as error:
                    log.warning("webhook_postponed", target=self._target.name, reason=str(error))
                except Exception:
                    # No mistake may end the other parts of the service.
                    log.exception("webhook_failed", target=self._target.name)
                finally:
                    await self._stop_deliveries()
                await self._sleep(TURN_SECONDS)
        finally:
            await self._release()

    # -- leading ----------------------------------------------------------------------------------

    async def _lead(self) -> bool:
        now = self._now()
        until = now + timedelta(seconds=LEASE_SECONDS)
        return await self._book.lead(self._target.name, self._owner, now, until)

    async def _release(self) -> None:
        try:
            await self._book.release(self._target.name, self._owner)
        except RecordsError as error:
            log.warning("webhook_not_released", target=self._target.name, reason=str(error))

    async def _work(self) -> None:
        """Deliver as long as this process leads. Raises RecordsError, and a delivery's fault."""
        noted = await self._book.positions(self._target.name)
        reading = await self._logs.open_reading(noted)
        loop = asyncio.get_running_loop()
        renew_at = loop.time()
        while True:
            if loop.time() >= renew_at:
                if not await self._lead():
                    return
                renew_at = loop.time() + RENEW_SECONDS
                self._try_letters_meanwhile()
                await self._count_dead()
            self._hint.clear()
            is_behind = await self._read(reading)
            noted = await self._note(reading, noted)
            if self._fault is not None:
                raise self._fault
            if not is_behind:
                await self._wait_for_news()

    async def _read(self, reading: LogReading) -> bool:
        """Read on; whether there may be more, after what a lease has time for by far."""
        for _ in range(BATCHES):
            if len(self._window) >= MAX_UNDER_WAY:
                return False
            batch = await reading.read(BATCH)
            for logged in batch:
                if self._target.types.wants(logged.event.type):
                    self._send(logged)
            if not batch:
                return False
        return True

    async def _note(self, reading: LogReading, noted: Positions | None) -> Positions:
        """Write down how far the target was told, when that is further than before."""
        oldest = self._window.oldest
        lag = 0.0 if oldest is None else (self._now() - oldest).total_seconds()
        self._measures.webhook_lag_seconds.set(max(lag, 0.0), self._target.name)
        reached = self._window.reached(reading.positions)
        if reached != noted and not await self._book.save(self._target.name, self._owner, reached):
            raise RecordsError("another process leads")
        return reached

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._hint.wait()
        except TimeoutError:
            return
        await asyncio.sleep(REST_SECONDS)

    # -- events -----------------------------------------------------------------------------------

    def _send(self, logged: Logged) -> None:
        self._window.enter(logged)
        queue = self._queues.get(logged.subject)
        if queue is not None:
            queue.append(logged)
            return
        self._queues[logged.subject] = deque((logged,))
        task = asyncio.create_task(
            self._work_off(logged.subject), name=f"webhook-{self._target.name}-{logged.subject}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
            self._hint.set()

    async def _work_off(self, subject: str) -> None:
        queue = self._queues[subject]
        while queue:
            await self._deliver(queue[0])
            self._window.leave(queue.popleft())
        del self._queues[subject]
        self._hint.set()

    async def _deliver(self, logged: Logged) -> None:
        """Tell the target of an event, or bury it."""
        body = encode(logged.event, logged.id)
        attempts = strikes = 0
        while True:
            others = self._gate.successes
            attempt = await self._attempt(body, logged.id)
            attempts += 1
            if attempt.outcome is Outcome.DELIVERED:
                return
            strikes += self._gate.successes > others
            is_over = strikes >= MAX_STRIKES or self._now() - logged.event.at > self._max_age
            if attempt.outcome is Outcome.REFUSED or is_over:
                await self._bury(logged, body, attempts, attempt.reason)
                return
            await self._sleep(back_off_seconds(attempts, self._uniform))

    async def _attempt(self, body: bytes, event_id: str) -> Attempt:
        made: list[Attempt] = []

        async def post() -> None:
            async with self._slots:
                attempt = await self._poster.post(body, event_id)
            made.append(attempt)
            self._measures.webhook_deliveries.add(self._target.name, attempt.outcome.value)
            if attempt.outcome is Outcome.FAILED:
                self._gate.failed(attempt.pause_seconds)
            else:
                self._gate.succeeded()

        await self._gate.through(post)
        return made[0]

    async def _bury(self, logged: Logged, body: bytes, attempts: int, reason: str) -> None:
        name = self._target.name
        letter = DeadLetter(name, logged.id, logged.event.type, body, attempts, reason, self._now())
        log.error("webhook_given_up", target=name, item=logged.id, code=reason, attempts=attempts)
        while True:
            try:
                await self._book.bury(letter)
            except RecordsError:
                await self._sleep(TURN_SECONDS)
            else:
                return

    async def _stop_deliveries(self) -> None:
        """What is on its way will be told again, by whoever leads then."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queues.clear()
        self._window = Window()
        self._fault = None

    # -- dead letters -----------------------------------------------------------------------------

    def _try_letters_meanwhile(self) -> None:
        if self._letters is None or self._letters.done():
            self._letters = asyncio.create_task(
                self._try_letters(), name=f"webhook-{self._target.name}-letters"
            )
            self._tasks.add(self._letters)
            self._letters.add_done_callback(self._tasks.discard)

    async def _try_letters(self) -> None:
        """Send the dead letters that somebody wants sent again, each once."""
        try:
            for letter in await self._book.waiting_letters(self._target.name, BATCH):
                attempt = await self._attempt(letter.body, letter.event_id)
                is_delivered = attempt.outcome is Outcome.DELIVERED
                await self._book.settle(letter.number, is_delivered=is_delivered)
        except RecordsError as error:
            log.warning("webhook_postponed", target=self._target.name, reason=str(error))

    async def _count_dead(self) -> None:
        name = self._target.name
        counts = await self._book.count_dead((name,))
        self._measures.webhook_dead_letters.set(counts[name], name)

    def _report(self, is_shut: bool) -> None:  # noqa: FBT001 - a callback's word
        if is_shut:
            log.warning("webhook_target_failing", target=self._target.name)
        else:
            log.info("webhook_target_well", target=self._target.name)
