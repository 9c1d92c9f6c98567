"""Responses of ours, and the fields that say which request a message belongs to (RFC 3261, 8)."""

import re
from dataclasses import dataclass
from typing import Self

from fastagi_server.sip.addresses import NameAddress
from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.fields import CSeq, Via
from fastagi_server.sip.headers import Field, Headers
from fastagi_server.sip.messages import Request, Response

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO")
EXTENSIONS = ("timer",)
SDP_TYPE = "application/sdp"
DTMF_TYPE = "application/dtmf-relay"

ALLOW: Field = ("Allow", ", ".join(METHODS))
SUPPORTED: Field = ("Supported", ", ".join(EXTENSIONS))
ACCEPT: Field = ("Accept", SDP_TYPE)

REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    513: "Message Too Large",
    603: "Decline",
}

_CAUSE = re.compile(r"q\.850\b.*?;\s*cause\s*=\s*(\d{1,3})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The five fields that every message must have (RFC 3261, 8.1.1)."""

    call_id: str
    sequence: CSeq
    sender: NameAddress
    receiver: NameAddress
    via: Via

    @classmethod
    def of(cls, message: Request | Response) -> Self:
        """The fields of a message. Raises `SipSyntaxError` when one is missing or unreadable."""
        headers = message.headers
        sequence = CSeq.parse(_required(headers, "CSeq"))
        if isinstance(message, Request) and message.method != sequence.method:
            raise SipSyntaxError("a CSeq of another method", str(sequence))
        return cls(
            _required(headers, "Call-ID"),
            sequence,
            NameAddress.parse(_required(headers, "From")),
            NameAddress.parse(_required(headers, "To")),
            Via.parse(next(iter(headers.elements("Via")), "")),
        )


def _required(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SipSyntaxError(f"no {name}")
    return value


def reply(
    request: Request,
    status: int,
    *fields: Field,
    reason: str = "",
    tag: str = "",
    body: bytes = b"",
) -> Response:
    """The response to a request (RFC 3261, 8.2.6.2); `tag` goes into a To that has none.

    `body` is SDP.
    """
    headers = request.headers
    answer = [("Via", value) for value in headers.get_all("Via")]
    answer += [("From", value) for value in headers.get_all("From")]
    answer += [("To", _tagged(value, tag)) for value in headers.get_all("To")]
    answer += [(name, value) for name in ("Call-ID", "CSeq") for value in headers.get_all(name)]
    answer += fields
    if body:
        answer.append(("Content-Type", SDP_TYPE))
    return Response(status, reason or REASONS.get(status, ""), Headers(answer), body)


def _tagged(value: str, tag: str) -> str:
    try:
        address = NameAddress.parse(value)
    except SipSyntaxError:
        return value
    return value if not tag or address.tag else str(address.tagged(tag))


def answer_plainly(request: Request, tag: str = "") -> Response:
    """The answer to a request that has to do with no session: OPTIONS, INFO, and what we lack."""
    if request.method == "OPTIONS":
        return reply(request, 200, ALLOW, SUPPORTED, ACCEPT, tag=tag)
    if request.method != "INFO":
        return reply(request, 405, ALLOW, tag=tag)
    kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if request.body and kind != DTMF_TYPE:
        return reply(request, 415, ("Accept", DTMF_TYPE), tag=tag)
    return reply(request, 200, tag=tag)


def extension_lacked(request: Request, tag: str = "") -> Response | None:
    """The 420 to a request that requires an extension which we do not have."""
    lacked = [one for one in listed(request, "Require") if one.lower() not in EXTENSIONS]
    if not lacked:
        return None
    return reply(request, 420, ("Unsupported", ", ".join(lacked)), tag=tag)


def stamped(request: Request, host: str, port: int) -> Request:
    """The request with the address that it came from in its topmost Via (RFC 3261, 18.2.1)."""
    hops = request.headers.elements("Via")
    via = Via.parse(hops[0])
    parameters = via.parameters.setting("received", host)
    if "rport" in parameters:
        parameters = parameters.setting("rport", str(port))
    first = Via(via.transport, via.sent_by, parameters)
    fields = [("Via", hop) for hop in (str(first), *hops[1:])]
    headers = Headers((*fields, *request.headers.without("Via")))
    return Request(request.method, request.uri, headers, request.body)


def sdp_of(message: Request | Response) -> str:
    """The SDP that a message carries; empty when it has no body, or one of another kind."""
    kind = (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    return message.body.decode("utf-8", "replace") if kind == SDP_TYPE else ""


def lists(message: Request | Response, name: str, word: str) -> bool:
    """Whether a list such as Allow or Supported names `word`; False when it cannot be read."""
    return word.lower() in (one.lower() for one in listed(message, name))


def listed(message: Request | Response, name: str) -> list[str]:
    """The elements of a list such as Require; none when it cannot be read."""
    try:
        return message.headers.elements(name)
    except SipSyntaxError:
        return []


def cause_of(message: Request | Response) -> int | None:
    """The Q.850 cause in a Reason field (RFC 3326)."""
    for value in message.headers.get_all("Reason"):
        found = _CAUSE.search(value)
        # 0 is what Asterisk says when it knows none.
        if found is not None and int(found[1]):
            return int(found[1])
    return None


def reason_fields(cause: int | None) -> tuple[Field, ...]:
    """The Reason field of a Q.850 cause, if there is one."""
    return () if cause is None else (("Reason", f"Q.850;cause={cause}"),)
