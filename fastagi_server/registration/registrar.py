"""Say what the dialplan wants said about a call, within the patience of a caller."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog

from fastagi_server.registration import codes
from fastagi_server.registration.delivery import deliver
from fastagi_server.registration.documents import kind_of
from fastagi_server.registration.models import (
    Acceptance,
    Ending,
    Outcome,
    RegisteredCall,
    Registration,
    Statement,
    Status,
    is_provisional,
    provisional_call_id,
)
from fastagi_server.registration.ports import (
    CallsApi,
    Outbox,
    OutboxError,
    RefusedError,
    Standing,
    UnavailableError,
)
from fastagi_server.registration.subjects import attributes_of, tell, times_of
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.subject import learn
from fastagi_server.telemetry.tracing import Tracing

log = structlog.get_logger()

STATUS_QUEUED = "queued"
STATUS_UNKNOWN = "unknown"
STATUS_UNAVAILABLE = "unavailable"


Hear = Callable[[Statement, Outcome], None]
"""Is told what was said of a call and what became of it; must not wait nor raise."""


class Registrar:
    """Registers, accepts and ends calls; no method raises anything but `CancelledError`.

    Each statement goes to the API, for at most `deadline_seconds`. A definite no gives REFUSED.
    When the API cannot take it now, the statement is on the disk before QUEUED is returned, and
    the relay delivers it. Only when the outbox cannot take it either is the outcome FAILED.
    A cancelled statement (the caller hung up) goes to the outbox before the cancellation goes on:
    nobody knows whether the API got it, and saying it twice does no harm.

    `tracing` gets the whole call as a span when it ends: for an API that does not do so itself.
    """

    def __init__(
        self,
        api: CallsApi,
        outbox: Outbox,
        *,
        measures: Measures,
        deadline_seconds: float = 2.0,
        tracing: Tracing | None = None,
    ) -> None:
        self._api = api
        self._outbox = outbox
        self._measures = measures
        self._deadline_seconds = deadline_seconds
        self._tracing = tracing
        self._hear: Hear | None = None

    def when_stated(self, hear: Hear) -> None:
        """Have `hear` called with every statement that is made from now on, and its outcome."""
        self._hear = hear

    async def register(
        self, registration: Registration, *, deadline: float | None = None
    ) -> Outcome:
        """Make the call known; `deadline`, an instant of the loop's clock, may shorten the wait.

        It does not ask the outbox first: a registration said before or after one that waits is
        the same registration, by its key.
        """
        until = self._deadline(deadline)
        outcome = await self._state(registration, self._api.register(registration, deadline=until))
        self._measures.registrations.add(outcome.status, outcome.code)
        if self._hear is not None:
            self._hear(registration, outcome)
        return outcome

    async def accept(self, acceptance: Acceptance) -> Outcome:
        """Say that the call was answered, after all that still waits to be said about it."""
        return await self._state_in_order(acceptance)

    async def end(self, ending: Ending) -> Outcome:
        """Say that the call is over, after all that still waits to be said about it."""
        outcome = await self._state_in_order(ending)
        if self._tracing is not None:
            ended, started = times_of(ending)
            self._tracing.call_ended(ending.key, started, ended, attributes_of(ending))
        return outcome

    async def status(self, call_id: str) -> str:
        """The API's word for the state of the call.

        Or `queued` while its registration waits in the outbox, `unknown` when nobody knows it,
        `unavailable` when the API cannot be asked.
        """
        try:
            if is_provisional(call_id):
                standing = await self._outbox.standing(call_id)
                if standing.call_id is None:
                    return STATUS_QUEUED if standing.waits else STATUS_UNKNOWN
                call_id = standing.call_id
            return await self._api.status(call_id, deadline=self._deadline(None))
        except RefusedError:
            return STATUS_UNKNOWN
        except (UnavailableError, OutboxError):
            return STATUS_UNAVAILABLE
        except Exception:
            log.exception("status_failed", call=call_id)
            return STATUS_UNAVAILABLE

    async def _state_in_order(self, statement: Acceptance | Ending) -> Outcome:
        outcome = await self._state(statement, self._deliver_in_order(statement))
        if self._hear is not None:
            self._hear(statement, outcome)
        return outcome

    async def _deliver_in_order(self, statement: Acceptance | Ending) -> RegisteredCall:
        standing = await self._standing(statement.key)
        if standing.waits:
            raise UnavailableError(codes.BEHIND_QUEUED, attempted=False)
        return await deliver(
            self._api,
            statement,
            known_call_id=standing.call_id,
            deadline=self._deadline(None),
        )

    async def _state(self, statement: Statement, delivery: Awaitable[RegisteredCall]) -> Outcome:
        """The outcome of `delivery`, which says `statement` to the API."""
        about = tell(statement)
        try:
            call = await delivery
        except RefusedError as error:
            return self._refused(statement, error)
        except UnavailableError as error:
            return await self.queue(statement, error.code, str(error))
        except asyncio.CancelledError:
            await self.queue(statement, codes.INTERRUPTED, "")
            raise
        except Exception:
            log.exception("statement_failed", key=statement.key, kind=kind_of(statement))
            return await self.queue(statement, codes.INTERNAL_ERROR, "")
        about.call = call.call_id
        return Outcome(Status.REGISTERED, call.call_id, call.channel_id or _channel_id(statement))

    async def _standing(self, key: str) -> Standing:
        """An outbox that cannot be read must not keep the API from being told."""
        try:
            return await self._outbox.standing(provisional_call_id(key))
        except OutboxError as error:
            log.warning("outbox_unreadable", key=key, reason=str(error))
            return Standing(waits=False, call_id=None)

    async def queue(self, statement: Statement, code: str, reason: str = "") -> Outcome:
        """Have a statement delivered later: QUEUED with `code`, once it is on the disk.

        FAILED when the outbox cannot take it. A statement that waits already is not added again.
        """
        event = {"kind": kind_of(statement), "key": statement.key, "code": code, "reason": reason}
        try:
            await self._outbox.append(statement)
        except OutboxError as error:
            log.critical("statement_lost", **event, outbox=str(error))
            return Outcome(Status.FAILED, code=error.code, error=codes.ERROR_FAILED)
        log.warning("statement_queued", **event)
        call_id = provisional_call_id(statement.key)
        learn(call=call_id)
        return Outcome(Status.QUEUED, call_id, _channel_id(statement), code)

    def _refused(self, statement: Statement, error: RefusedError) -> Outcome:
        log.warning(
            "statement_refused",
            kind=kind_of(statement),
            key=statement.key,
            code=error.code,
            reason=str(error),
        )
        return Outcome(Status.REFUSED, code=error.code, error=codes.ERROR_REFUSED)

    def _deadline(self, deadline: float | None) -> float:
        own = monotonic() + self._deadline_seconds
        return own if deadline is None else min(own, deadline)


def _channel_id(statement: Statement) -> str:
    """The id of the caller's channel in ARI, which is its unique id."""
    return statement.unique_id if isinstance(statement, Registration) else ""
