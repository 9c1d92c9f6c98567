"""Records of calls in memory."""

from collections.abc import Collection, Sequence

from fastagi_server.calls.errors import CallNotFoundError
from fastagi_server.calls.listing import CallQuery, Cursor
from fastagi_server.calls.models import Call, CallEvent
from fastagi_server.calls.ports import Decision, IdempotencyKey


class MemoryRecords:
    """Records of calls in dictionaries, and what was asked of them."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.log: dict[str, list[CallEvent]] = {}
        self.keys: list[IdempotencyKey | None] = []
        self.limits: list[int | None] = []
        self.aliases: list[frozenset[str]] = []
        self.queries: list[CallQuery] = []

    async def get(self, call_id: str) -> Call | None:
        """See CallReader."""
        return self.calls.get(call_id)

    async def active(self, party: str | None, limit: int) -> Sequence[Call]:
        """See CallReader."""
        return [
            call
            for call in self.calls.values()
            if call.is_active and (party is None or party in (call.caller_id, *call.participants))
        ][:limit]

    async def page(self, query: CallQuery, after: Cursor | None, limit: int) -> Sequence[Call]:
        """Note the query; the calls are not filtered."""
        self.queries.append(query)
        return list(self.calls.values())[:limit]

    async def events(self, call_id: str) -> Sequence[CallEvent]:
        """See CallReader."""
        return self.log[call_id]

    async def create(
        self,
        call: Call,
        event: CallEvent,
        key: IdempotencyKey | None,
        limit: int | None = None,
        aliases: Collection[str] = (),
    ) -> tuple[Call, bool]:
        """Recognise a channel that was adopted before; note key, limit and aliases."""
        self.keys.append(key)
        self.limits.append(limit)
        self.aliases.append(frozenset(aliases))
        for known in self.calls.values():
            if call.channel is not None and known.channel == call.channel:
                return known, False
        self.calls[call.id] = call
        self.log[call.id] = [event]
        return call, True

    async def change(self, call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        """See CallWriter."""
        if call_id not in self.calls:
            raise CallNotFoundError
        decision = decide(self.calls[call_id])
        if decision is None:
            return self.calls[call_id], None
        self.calls[call_id], event = decision
        self.log[call_id].append(event)
        return decision

    async def discard(self, call_id: str) -> None:
        """See CallWriter."""
        del self.calls[call_id]
