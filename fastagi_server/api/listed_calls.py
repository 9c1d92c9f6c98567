"""Which calls a list shall have: the query parameters of GET /calls."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.api.bodies import Moment, PartyName
from fastagi_server.calls.listing import MAX_CURSOR_LENGTH, CallQuery, Cursor
from fastagi_server.calls.models import CallStatus, CallType

MAX_LISTED = 500
"""Calls in one answer. Rows are read on the event loop, at about 20 microseconds each."""


class ListedCalls(BaseModel):
    """Every condition that is given must hold."""

    model_config = ConfigDict(frozen=True)

    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 100
    cursor: Annotated[
        str | None,
        Field(max_length=MAX_CURSOR_LENGTH, description="Where the page before this one ended"),
    ] = None
    active: Annotated[
        bool | None,
        Field(description="Only active or only ended calls; without any condition only active"),
    ] = None
    status: Annotated[set[CallStatus], Field(description="May be given several times")] = set()
    party: Annotated[PartyName | None, Field(description="Caller or participant")] = None
    caller: Annotated[PartyName | None, Field(description="Who created the call")] = None
    call_type: Annotated[CallType | None, Field(description="Only calls of this type")] = None
    room_id: Annotated[
        str | None, Field(pattern=r"^[0-9A-Za-z-]{1,36}$", description="Only calls of this room")
    ] = None
    hangup_cause: Annotated[int | None, Field(ge=0, le=127, description="Q.850 cause")] = None
    since: Annotated[Moment | None, Field(description="Created at this moment or later")] = None
    until: Annotated[Moment | None, Field(description="Created before this moment")] = None

    @property
    def is_plain(self) -> bool:
        """Whether it is the documented list: the active calls, from the newest."""
        return not self.model_fields_set - {"limit"}

    def query(self) -> CallQuery:
        """The conditions in the words of the topic."""
        is_all = self.model_fields_set <= {"limit", "cursor"}
        return CallQuery(
            is_active=True if is_all else self.active,
            statuses=frozenset(self.status),
            party=self.party,
            caller=self.caller,
            call_type=self.call_type,
            room_id=self.room_id,
            hangup_cause=self.hangup_cause,
            since=self.since,
            until=self.until,
        )

    def after(self) -> Cursor | None:
        """Where to go on. Raises InvalidCursorError."""
        return None if self.cursor is None else Cursor.from_text(self.cursor)
