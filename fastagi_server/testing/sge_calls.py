"""The calls of the fake SGE API: what the contract says about them, and no more."""

import uuid
from datetime import UTC, datetime
from typing import Any, cast

Resource = dict[str, Any]
"""A call as its JSON."""


class CallError(Exception):
    """A request that the contract refuses: HTTP status, title and stable code of the answer."""

    def __init__(self, status: int, title: str, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.title = title
        self.code = code


class CallBook:
    """Calls by id, in the order of their creation, and the idempotency keys that made them."""

    def __init__(self) -> None:
        self.calls: dict[str, Resource] = {}
        self.ids_by_key: dict[str, str] = {}

    def create(self, wanted: Any, key: str | None) -> tuple[bool, Resource]:
        """Create a call, or give the one that `key` made before; tell whether it is new."""
        if key is not None and key in self.ids_by_key:
            return False, self.calls[self.ids_by_key[key]]
        fields = cast("Resource", wanted) if isinstance(wanted, dict) else {}
        if not {"participants", "call_type"} <= fields.keys():
            raise CallError(422, "Call initiation failed", "invalid")
        call = _new_call(fields)
        self.calls[call["id"]] = call
        if key is not None:
            self.ids_by_key[key] = call["id"]
        return True, call

    def accept(self, call_id: str, facts: Resource) -> Resource:
        """Connect a call; one that has ended cannot be accepted."""
        call = self._find(call_id, "Call acceptance failed")
        if call["status"] == "ended":
            raise CallError(409, "Call acceptance failed", "call_ended")
        call.update(status="connected", answered_at=facts.get("answered_at") or _now())
        return call

    def end(self, call_id: str, facts: Resource) -> Resource:
        """End a call, keeping what is said about its end; the second end changes nothing."""
        call = self._find(call_id, "Call termination failed")
        if call["status"] != "ended":
            call.update(facts)
            call.update(status="ended", end_time=facts.get("ended_at") or _now())
        return call

    def get(self, call_id: str) -> Resource:
        """Give one call."""
        return self._find(call_id, "Call retrieval failed")

    def _find(self, call_id: str, title: str) -> Resource:
        if call_id not in self.calls:
            raise CallError(404, title, "call_not_found")
        return self.calls[call_id]


def _new_call(wanted: Resource) -> Resource:
    metadata = dict(wanted.get("metadata") or {})
    if "asterisk_call_id" in metadata:
        metadata["asterisk_channel_id"] = metadata["asterisk_call_id"]
    now = _now()
    return {
        "id": str(uuid.uuid4()),
        "caller_id": "service",
        "participants": wanted["participants"],
        "call_type": wanted["call_type"],
        "status": "initiating",
        "start_time": now,
        "answered_at": None,
        "end_time": None,
        "room_id": None,
        "metadata": metadata,
        "created_at": now,
        "updated_at": now,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
