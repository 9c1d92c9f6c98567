"""What may go wrong between us and ARI.

    AriError
    ├── AriAddressError              the configured URL is none
    ├── AriUnreachableError          nothing was sent: no connection in time
    ├── AriTooSlowError              sent, no whole answer: outcome unknown
    ├── AriAnswerError               what came is not what Asterisk says
    └── AriRefusedError              Asterisk said no
        ├── AriNotFoundError             there is no such channel, bridge, ...
        ├── AriConflictError             the id is taken, or the state does not allow it
        ├── AriNotInStasisError          the channel is not (yet, any more) in a Stasis application
        ├── AriEndpointUnavailableError  nobody to call there: unknown, unregistered, no such driver
        └── AriServerError               5xx: outcome unknown

Which refusal it is comes from the status and, where Asterisk uses one status for two things or
two for one, from its words (both seen on 22.10): a channel that is not in Stasis is a 422 for a
bridge and a 409 for the channel itself, an unknown channel is a 400 for a bridge, and an endpoint
that cannot be called is a 500 (`ari.channels` tells it from others).
"""

from http import HTTPStatus

SHOWN_CHARACTERS = 200
"""As much of Asterisk's words as an error repeats."""


class AriError(Exception):
    """Root of the errors of this package.

    `outcome_unknown` says that the operation may have had its effect all the same: look before
    it is repeated. `code` is a stable word for measures and error bodies.
    """

    outcome_unknown = False
    code = "ari_error"


class AriAddressError(AriError):
    """The URL of ARI cannot be used."""

    code = "ari_address"


class AriUnreachableError(AriError):
    """Asterisk was not reached and has seen nothing; worth another try in `retry_after_seconds`."""

    code = "ari_unreachable"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class AriTooSlowError(AriError):
    """The request was sent; no whole answer came before the deadline or the connection's end."""

    code = "ari_too_slow"
    outcome_unknown = True


class AriAnswerError(AriError):
    """An answer or an event cannot be read as what Asterisk documents."""

    code = "ari_bad_answer"
    outcome_unknown = True


class AriRefusedError(AriError):
    """Asterisk answered `status` (300..599) with `message`, at most 200 characters of it."""

    code = "ari_refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message[:SHOWN_CHARACTERS]}")
        self.status = status
        self.message = message[:SHOWN_CHARACTERS]


class AriNotFoundError(AriRefusedError):
    """There is nothing of that id."""

    code = "ari_not_found"


class AriConflictError(AriRefusedError):
    """The id is in use already, or the object's state does not allow the operation."""

    code = "ari_conflict"


class AriNotInStasisError(AriRefusedError):
    """The channel is not in a Stasis application: not yet answered, or gone back to dialplan."""

    code = "ari_not_in_stasis"


class AriEndpointUnavailableError(AriRefusedError):
    """No channel can be made to the endpoint; nothing was made."""

    code = "ari_endpoint_unavailable"


class AriServerError(AriRefusedError):
    """Asterisk failed while it worked."""

    code = "ari_failed"
    outcome_unknown = True


_BY_WORDS: tuple[tuple[str, type[AriRefusedError]], ...] = (
    ("not in stasis", AriNotInStasisError),
    ("not in a stasis", AriNotInStasisError),
    ("channel not found", AriNotFoundError),
)

_BY_STATUS: dict[int, type[AriRefusedError]] = {
    HTTPStatus.NOT_FOUND: AriNotFoundError,
    HTTPStatus.CONFLICT: AriConflictError,
    HTTPStatus.PRECONDITION_FAILED: AriConflictError,
}


def refusal(status: int, message: str) -> AriRefusedError:
    """The error that an answer stands for which is no success."""
    words = message.lower()
    for phrase, kind in _BY_WORDS:
        if phrase in words:
            return kind(status, message)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AriServerError(status, message)
    return _BY_STATUS.get(status, AriRefusedError)(status, message)
