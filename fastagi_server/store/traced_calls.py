"""Records of calls that make each call a span of its trace when it ends."""

from fastagi_server.calls.models import Call, CallEvent, EventKind
from fastagi_server.calls.ports import Decision
from fastagi_server.registration.models import registration_key
from fastagi_server.store.calls import StoredCalls
from fastagi_server.store.database import Database
from fastagi_server.telemetry.tracing import Tracing


class TracedCalls(StoredCalls):
    """Whoever writes that a call ended, the API's client or the PBX, it ends here."""

    def __init__(self, database: Database, tracing: Tracing) -> None:
        super().__init__(database)
        self._tracing = tracing

    async def change(self, call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        """See `StoredCalls.change`."""
        call, event = await super().change(call_id, decide)
        if event is not None and event.kind is EventKind.ENDED:
            self._tracing.call_ended(
                key_of(call), call.start_time, call.end_time or event.at, attributes_of(call)
            )
        return call, event


def key_of(call: Call) -> str:
    """The key of the call's trace: that of its registration, or its id where none registered it."""
    if call.channel is None:
        return call.id
    return registration_key(call.channel.system, call.channel.unique_id)


def attributes_of(call: Call) -> dict[str, str | int]:
    """What the span says of how the call went; nothing of who spoke."""
    told = {
        "call": call.id,
        "unique_id": call.channel.unique_id if call.channel else None,
        "linked_id": call.metadata.get("asterisk_linked_id"),
        "call_type": call.call_type.value,
        "hangup_cause": call.hangup_cause,
        "dial_status": call.dial_status,
        "answered_ms": call.duration_ms,
    }
    return {name: value for name, value in told.items() if value is not None}
