"""The audit for operators: who did what, newest first."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from fastagi_server.api.answers import json_answer
from fastagi_server.api.context import OperatorRoute, services_of
from fastagi_server.api.openapi import OPERATOR_SECURITY, refusals
from fastagi_server.identities.audit import AuditQuery, AuditRecord

MAX_LISTED = 500
MAX_NUMBER = 2**62

router = APIRouter(prefix="/audit", tags=["audit"], route_class=OperatorRoute)


class AuditRecordBody(BaseModel):
    """One request that changed something or tried to, and what came of it."""

    number: int = Field(description="Counts records in the order in which they were stored")
    at: datetime
    identity: str | None = Field(description="Null for a request that proved nobody")
    credential: str | None = Field(
        description="What proved it: api_key, token, password or certificate"
    )
    operation: str = Field(description="The operation's name in this description")
    subject: str | None = Field(description="Id of the call or the room")
    address: str = Field(description="Address of the client, or of the last proxy not trusted")
    request_id: str
    status: int = Field(description="HTTP status of the answer")
    code: str | None = Field(description="Code of the refusal")


class AuditPageBody(BaseModel):
    """Records, newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "records": [
                    {
                        "number": 4711,
                        "at": "2026-11-22T21:14:03.250000Z",
                        "identity": "alice",
                        "credential": "token",
                        "operation": "end_call",
                        "subject": "5f0c1b0e-6a43-4f0e-9d0a-1f2f3a4b5c6d",
                        "address": "192.0.2.7",
                        "request_id": "8d1c1d9d4c0b4f7fa2f4a2f1d5a6b7c8",
                        "status": 403,
                        "code": "forbidden",
                    }
                ],
                "next": None,
            }
        }
    )

    records: list[AuditRecordBody]
    next: int | None = Field(description="`before` of the next page; null on the last one")


@router.get(
    "",
    name="list_audit",
    summary="List audit records, newest first",
    response_model=AuditPageBody,
    responses=refusals(401, 403, 422, 429, 503),
    openapi_extra=OPERATOR_SECURITY,
)
async def list_audit(
    request: Request,
    limit: Annotated[
        int, Query(ge=1, le=MAX_LISTED, description="Records of one page at most")
    ] = 100,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_NUMBER, description="`next` of the page before")
    ] = None,
    identity: Annotated[
        str | None, Query(max_length=256, description="Only requests of this identity")
    ] = None,
    subject: Annotated[
        str | None, Query(max_length=64, description="Only requests about this call or room")
    ] = None,
) -> Response:
    """List who changed what, or was refused to: each request but those that only read.

    A record can be read about a second after its request was answered.
    """
    records = await services_of(request).audit.page(AuditQuery(identity, subject), before, limit)
    last = records[-1].number if len(records) == limit else None
    return json_answer({"records": [_body(record) for record in records], "next": last})


def _body(record: AuditRecord) -> dict[str, object]:
    return {
        "number": record.number,
        "at": record.at,
        "identity": record.identity,
        "credential": record.credential,
        "operation": record.operation,
        "subject": record.subject,
        "address": record.address,
        "request_id": record.request_id,
        "status": record.status,
        "code": record.code,
    }
