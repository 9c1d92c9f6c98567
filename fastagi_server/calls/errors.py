"""Why a request about a call is refused.

    CallError
    ├── InvalidCallError        the order itself cannot be a call (also a ValueError)
    ├── InvalidCursorError      the place in a list is none that was given out
    ├── ConcurrencyExceededError  the caller has as many active calls as he may have
    ├── CallNotFoundError       no call has this id
    ├── CallForbiddenError      the call exists, this identity may not do that with it
    ├── CallEndedError          the call has ended
    ├── CallStateError          the state of the call does not allow it now
    ├── KeyReusedError          an idempotency key came back with another order
    └── PbxError           the call needs the PBX, and the PBX
        ├── PbxUnreachableError     cannot be asked now
        ├── PbxTooSlowError         was asked and did not answer in time
        └── PbxRefusedError         said no

Each class has a stable `code` for programs; the message is for people and never repeats input.
"""


class CallError(Exception):
    """Root of everything this topic refuses."""

    code = "call_error"


class InvalidCallError(CallError, ValueError):
    """The order breaks a limit or names something that cannot be rung."""

    code = "invalid_request"


class InvalidCursorError(CallError):
    """The text names no place in a list."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        super().__init__("The cursor is not one that was given out")


class ConcurrencyExceededError(CallError):
    """The caller has as many active calls as he may have."""

    code = "concurrency_exceeded"

    def __init__(self) -> None:
        super().__init__("Too many active calls of this user")


class CallNotFoundError(CallError):
    """No call has this id."""

    code = "call_not_found"

    def __init__(self) -> None:
        super().__init__("Call not found")


class CallForbiddenError(CallError):
    """The identity is neither a party of the call nor trusted with all calls."""

    code = "forbidden"


class CallEndedError(CallError):
    """The call has ended; an ended call never comes back."""

    code = "call_ended"

    def __init__(self) -> None:
        super().__init__("Call has already ended")


class CallStateError(CallError):
    """The call is not in a state in which this can be done: not answered yet, or no such leg."""

    code = "wrong_state"


class KeyReusedError(CallError):
    """The same idempotency key was sent with another order."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("Idempotency-Key was used before with a different request")


class PbxError(CallError):
    """The call needs the PBX, and the PBX did not take it."""

    code = "pbx_error"


class PbxUnreachableError(PbxError):
    """The PBX cannot be asked now; the same request may succeed later."""

    code = "pbx_unreachable"


class PbxTooSlowError(PbxError):
    """The PBX was asked and did not answer in time."""

    code = "pbx_too_slow"


class PbxRefusedError(PbxError):
    """The PBX answered that it will not place this call."""

    code = "pbx_refused"
