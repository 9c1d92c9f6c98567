"""Why a request about a call is refused.

    CallError
    ├── InvalidCallError        the order itself cannot be a call (also a ValueError)
    ├── CallNotFoundError       no call has this id
    ├── CallForbiddenError      the call exists, this identity may not do that with it
    ├── CallEndedError   the state of the call does not allow it any more
    ├── KeyReusedError          an idempotency key came back with another order
    └── PbxError           the call needs the PBX, and the PBX
        ├── PbxUnreachableError     cannot be asked now
        └── PbxRefusedError         said no

Each class has a stable `code` for programs; the message is for people and never repeats input.
"""


class CallError(Exception):
    """Root of everything this topic refuses."""

    code = "call_error"


class InvalidCallError(CallError, ValueError):
    """The order breaks a limit or names something that cannot be rung."""

    code = "invalid_request"


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


class PbxRefusedError(PbxError):
    """The PBX answered that it will not place this call."""

    code = "pbx_refused"
