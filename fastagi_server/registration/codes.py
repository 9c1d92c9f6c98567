"""Every error code the dialplan may see in SGE_ERROR_CODE, and the SGE_ERROR that goes with it.

Codes are stable: dialplans branch on them and dashboards count them.
"""

from typing import Final

API_UNREACHABLE: Final = "api_unreachable"
API_TIMEOUT: Final = "api_timeout"
API_BREAKER_OPEN: Final = "api_breaker_open"
API_ERROR: Final = "api_error"
API_OVERLOADED: Final = "api_overloaded"
API_UNAUTHORIZED: Final = "api_unauthorized"
API_NOT_FOUND: Final = "api_not_found"
API_REDIRECTED: Final = "api_redirected"
API_BAD_ANSWER: Final = "api_bad_answer"
INTERRUPTED: Final = "interrupted"
BEHIND_QUEUED: Final = "behind_queued"
REQUEST_REFUSED: Final = "request_refused"
FORBIDDEN: Final = "forbidden"
CALL_UNKNOWN: Final = "call_unknown"
CALL_STATE: Final = "call_state"
OUTBOX_FULL: Final = "outbox_full"
OUTBOX_FAILED: Final = "outbox_failed"
INTERNAL_ERROR: Final = "internal_error"
UNDELIVERABLE: Final = "undeliverable"
UNREADABLE: Final = "unreadable"

MEANINGS: Final = {
    API_UNREACHABLE: "the SGE API cannot be connected to, or closes without an answer",
    API_TIMEOUT: "the SGE API did not answer in time (or said 408)",
    API_BREAKER_OPEN: "the SGE API failed lately and is left alone for a moment",
    API_ERROR: "the SGE API answered with a server error (5xx)",
    API_OVERLOADED: "the SGE API asked for fewer requests (429)",
    API_UNAUTHORIZED: "the SGE API does not know our token or key (401, 407)",
    API_NOT_FOUND: "nothing is at the configured address of the SGE API (404, 405)",
    API_REDIRECTED: "the SGE API answered with a redirection, which is not followed",
    API_BAD_ANSWER: "the answer is no answer of the SGE API: HTML, cut off, too large",
    INTERRUPTED: "the caller hung up, or the time was up, before the SGE API had answered",
    BEHIND_QUEUED: "earlier statements about this call still wait in the outbox",
    REQUEST_REFUSED: "the SGE API refused the request as such (400, 413, 415, 422, other 4xx)",
    FORBIDDEN: "the SGE API does not allow this with our token or key (403)",
    CALL_UNKNOWN: "the SGE API, or this server, does not know the call",
    CALL_STATE: "the call is not in a state for this (409), usually because it has ended",
    OUTBOX_FULL: "the API cannot take it and the outbox is full",
    OUTBOX_FAILED: "the API cannot take it and the outbox cannot be written",
    INTERNAL_ERROR: "an error of this server; the log has it",
    UNDELIVERABLE: "given up after too many attempts or too long a time (dead letters only)",
    UNREADABLE: "the entry in the outbox cannot be read (dead letters only)",
}
"""Code to meaning, for operators; the reference page is held to this table."""

ERROR_REFUSED: Final = "Call refused"
ERROR_FAILED: Final = "API call failed"
