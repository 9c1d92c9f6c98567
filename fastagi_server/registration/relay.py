"""Deliver what waits in the outbox, in order for each call, until it is said or refused."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import structlog

from fastagi_server.registration import codes
from fastagi_server.registration.delivery import deliver
from fastagi_server.registration.models import Acceptance, Statement
from fastagi_server.registration.ports import (
    Backlog,
    CallsApi,
    Deliveries,
    Entry,
    Leadership,
    OutboxError,
    RefusedError,
    UnavailableError,
)
from fastagi_server.registration.subjects import subject_of
from fastagi_server.telemetry import subject
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.spans import Span
from fastagi_server.telemetry.tracing import Tracing

log = structlog.get_logger()

FIRST_BACK_OFF_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 300.0
"""However long the API asks us to stay away, we look again after this time."""

OUTBOX_PAUSE_SECONDS = 1.0
SHORTEST_WAIT_SECONDS = 0.001


def back_off_seconds(attempts: int, uniform: Callable[[float, float], float]) -> float:
    """Time to the next attempt after `attempts` failures: full jitter below a doubling bound."""
    bound = FIRST_BACK_OFF_SECONDS * 2 ** min(attempts, 30)
    return uniform(0.0, min(bound, LONGEST_BACK_OFF_SECONDS))


class Relay:
    """Owns the deliveries of one process; `run` works while this process is the leader.

    At most `concurrency` calls at once, one statement a call. A failed attempt is repeated with
    exponential back-off; after `max_attempts` of them, or at an age of `max_age_seconds`, the
    entry becomes a dead letter, as does one the API refuses, but for the acceptance of a call that
    has ended meanwhile: that is forgotten. While the API asks to be left alone
    (`Retry-After`) or is left alone by the circuit breaker, everything pauses, and goes on with
    one delivery alone until that has succeeded.

    Each attempt is a span of its call's trace, with `tracing`.

    Appends by this process are seen at once, those of others within `poll_seconds`.
    """

    def __init__(
        self,
        api: CallsApi,
        deliveries: Deliveries,
        leadership: Leadership,
        *,
        measures: Measures,
        concurrency: int = 16,
        deadline_seconds: float = 10.0,
        max_attempts: int = 1000,
        max_age_seconds: float = 259_200.0,
        poll_seconds: float = 0.5,
        tracing: Tracing | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._api = api
        self._deliveries = deliveries
        self._leadership = leadership
        self._measures = measures
        self._concurrency = concurrency
        self._deadline_seconds = deadline_seconds
        self._max_attempts = max_attempts
        self._max_age_seconds = max_age_seconds
        self._poll_seconds = poll_seconds
        self._tracing = tracing
        self._uniform = uniform
        self._in_flight: set[int] = set()
        self._look = asyncio.Event()
        self._paused_until = 0.0
        self._careful = False

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is delivered by the next leader."""
        self._leadership.when_appended(self._on_append)
        async with self._leadership.leading():
            log.info("outbox_leader")
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._turn(tasks)

    async def _turn(self, tasks: asyncio.TaskGroup) -> None:
        self._look.clear()
        try:
            backlog = await self._deliveries.backlog(self._concurrency + len(self._in_flight))
        except OutboxError as error:
            log.warning("outbox_unreadable", reason=str(error))
            await asyncio.sleep(OUTBOX_PAUSE_SECONDS)
            return
        self._measures.outbox_depth.set(backlog.pending, "pending")
        self._measures.outbox_depth.set(backlog.dead, "dead")
        self._measures.outbox_oldest_seconds.set(backlog.oldest_seconds)
        for entry in backlog.due:
            if entry.number not in self._in_flight and self._has_room():
                self._in_flight.add(entry.number)
                tasks.create_task(self._work_on(entry))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds_to_wait(backlog)):
                await self._look.wait()

    def _on_append(self) -> None:
        """Look at once where there is room; where there is none, appends must stay cheap."""
        if self._has_room():
            self._look.set()

    def _seconds_to_wait(self, backlog: Backlog) -> float:
        """Time until something may have changed that nobody tells us about."""
        waits = [self._poll_seconds]
        if backlog.next_due_seconds is not None:
            waits.append(backlog.next_due_seconds)
        if self._pause_left() > 0.0:
            waits.append(self._pause_left())
        return max(min(waits), SHORTEST_WAIT_SECONDS)

    def _has_room(self) -> bool:
        room = 1 if self._careful else self._concurrency
        return self._pause_left() <= 0.0 and len(self._in_flight) < room

    def _pause_left(self) -> float:
        return self._paused_until - asyncio.get_running_loop().time()

    async def _work_on(self, entry: Entry) -> None:
        about = subject_of(entry)
        subject.current.set(about)
        if self._tracing is not None:
            about.span = Span(f"outbox {entry.kind}")
            about.span.join(entry.key)
        try:
            await self._attempt(entry)
        except OutboxError as error:
            log.warning("outbox_unwritable", key=entry.key, reason=str(error))
            self._pause(OUTBOX_PAUSE_SECONDS)
        finally:
            if self._tracing is not None and about.span is not None:
                self._tracing.end(about.span, attributes=subject.ids_in(about))
            self._in_flight.discard(entry.number)
            self._look.set()

    async def _attempt(self, entry: Entry) -> None:
        if entry.statement is None:
            await self._bury(entry, codes.UNREADABLE)
            return
        deadline = asyncio.get_running_loop().time() + self._deadline_seconds
        try:
            call = await deliver(
                self._api, entry.statement, known_call_id=entry.call_id, deadline=deadline
            )
        except RefusedError as error:
            self._careful = False
            await self._give_up(entry, entry.statement, error)
        except UnavailableError as error:
            await self._postpone(entry, error)
        except Exception:
            log.exception("statement_failed", key=entry.key, kind=entry.kind)
            await self._postpone(entry, UnavailableError(codes.INTERNAL_ERROR))
        else:
            self._careful = False
            await self._deliveries.delivered(entry, call.call_id)
            self._measures.outbox_entries.add(entry.kind, "delivered")
            log.info(
                "outbox_delivered",
                kind=entry.kind,
                key=entry.key,
                call=call.call_id,
                age_seconds=round(entry.age_seconds, 3),
            )

    async def _give_up(self, entry: Entry, statement: Statement, error: RefusedError) -> None:
        if isinstance(statement, Acceptance) and error.code == codes.CALL_STATE:
            # The caller hung up in the moment of the answer, and the end came first. It told how
            # long they talked, so nothing is missing that somebody would have to look after.
            await self._deliveries.delivered(entry, entry.call_id or statement.call_id)
            self._measures.outbox_entries.add(entry.kind, "overtaken")
            log.info("statement_overtaken", kind=entry.kind, key=entry.key)
            return
        await self._bury(entry, error.code)

    async def _postpone(self, entry: Entry, error: UnavailableError) -> None:
        if error.retry_after_seconds is not None:
            self._pause(error.retry_after_seconds)
        if not error.attempted:
            return
        if entry.attempts + 1 >= self._max_attempts or entry.age_seconds >= self._max_age_seconds:
            await self._bury(entry, codes.UNDELIVERABLE)
            return
        seconds = back_off_seconds(entry.attempts, self._uniform)
        await self._deliveries.postponed(entry, seconds, error.code)
        self._measures.outbox_entries.add(entry.kind, "postponed")
        log.debug(
            "outbox_postponed", kind=entry.kind, key=entry.key, code=error.code, seconds=seconds
        )

    async def _bury(self, entry: Entry, code: str) -> None:
        await self._deliveries.died(entry, code)
        self._measures.outbox_entries.add(entry.kind, "dead")
        log.error("outbox_dead_letter", kind=entry.kind, key=entry.key, code=code)

    def _pause(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + min(seconds, LONGEST_PAUSE_SECONDS)
        self._paused_until = max(self._paused_until, until)
        self._careful = True
