"""Say one statement to the API, whoever says it: the registrar at once or the relay later."""

from fastagi_server.registration import codes
from fastagi_server.registration.models import (
    Acceptance,
    Ending,
    RegisteredCall,
    Registration,
    Statement,
    is_provisional,
)
from fastagi_server.registration.ports import CallsApi, RefusedError


async def deliver(
    api: CallsApi, statement: Statement, *, known_call_id: str | None, deadline: float
) -> RegisteredCall:
    """Say `statement`, to the call `known_call_id` when it does not name a real one itself.

    An `Ending` of a call whose id nobody knows registers the call first, which is idempotent.
    Raises `CallsApiError`.
    """
    match statement:
        case Registration():
            return await api.register(statement, deadline=deadline)
        case Acceptance():
            call_id = _real(statement.call_id) or known_call_id
            if call_id is None:
                raise RefusedError(codes.CALL_UNKNOWN, "accepted before it was registered")
            await api.accept(call_id, statement.answered_at, deadline=deadline)
        case Ending():
            call_id = _real(statement.call_id) or known_call_id
            if call_id is None:
                registered = await api.register(statement.registration, deadline=deadline)
                call_id = registered.call_id
            await api.end(call_id, statement, deadline=deadline)
    return RegisteredCall(call_id, None)


def _real(call_id: str | None) -> str | None:
    return call_id if call_id and not is_provisional(call_id) else None
