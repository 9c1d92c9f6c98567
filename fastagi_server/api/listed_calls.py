"""Which calls a list shall have: the query parameters of GET /calls."""

from typing import Annotated, Any, Self

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams

from fastagi_server.api.bodies import Moment, PartyName
from fastagi_server.calls.listing import MAX_CURSOR_LENGTH, CallQuery, Cursor
from fastagi_server.calls.models import CallStatus, CallType

MAX_LISTED = 500
"""Calls in one answer. Rows are read on the event loop, at about 10 microseconds each at most."""


class ListedCalls(BaseModel):
    """Every condition that is given must hold.

    The endpoint reads it by `from_query`: FastAPI takes as long to read these parameters as the
    rest of a request takes.
    """

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

    @classmethod
    def from_query(cls, query: bytes) -> Self:
        """Read a query string. Raises RequestValidationError.

        Of a parameter that is given twice the last counts; one that is unknown is passed over.
        """
        given = QueryParams(query)
        values: dict[str, Any] = dict(given)
        if "status" in values:
            values["status"] = given.getlist("status")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            raise RequestValidationError(
                [{**problem, "loc": ("query", *problem["loc"])} for problem in problems]
            ) from error

    @classmethod
    def parameters(cls) -> list[dict[str, Any]]:
        """The query parameters in the words of OpenAPI; for `openapi_extra`."""
        schema = cls.model_json_schema(ref_template="#/components/schemas/{model}")
        return [_parameter(name, shape) for name, shape in schema["properties"].items()]

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


def _parameter(name: str, shape: dict[str, Any]) -> dict[str, Any]:
    described = {"description": shape["description"]} if "description" in shape else {}
    return {"name": name, "in": "query", "required": False, "schema": shape, **described}
