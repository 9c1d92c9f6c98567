"""Why a signaling message, or a wait for one, is refused.

    SignalingError
    ├── UnknownKindError        the message is of a type that there is not
    ├── InvalidPayloadError     the payload is too large or not what its type has
    │   ├── InvalidSdpError         the session description cannot be used
    │   └── InvalidCandidateError   the ICE candidate cannot be read
    ├── UnknownAddresseeError   it is for somebody who is no party of the call
    ├── TooManyWaitsError       the user waits for messages as often as he may at once
    ├── WrongStateError         the leg into the PBX is not where this makes sense
    └── NoGatewayError          nobody can be asked who would take it to the PBX

Each class has a stable `code` for programs; the message is for people and never repeats input.
What is wrong with the call itself are `calls.errors`.
"""


class SignalingError(Exception):
    """Root of everything this topic refuses."""

    code = "signaling_error"


class UnknownKindError(SignalingError):
    """There is no such type of message, or clients do not send it."""

    code = "invalid_signaling_type"

    def __init__(self) -> None:
        super().__init__(
            "Unknown signaling type: it must be offer, answer, ice_candidate, hangup, mute or"
            " unmute"
        )


class InvalidPayloadError(SignalingError):
    """The payload breaks a limit, or is not what a message of this type has."""

    code = "invalid_payload"


class InvalidSdpError(InvalidPayloadError):
    """The session description is missing, too large, or none that a browser makes."""

    code = "invalid_sdp"


class InvalidCandidateError(InvalidPayloadError):
    """The ICE candidate is too large or cannot be read."""

    code = "invalid_candidate"


class UnknownAddresseeError(SignalingError):
    """The message is for somebody who is no party of the call, or for its sender."""

    code = "invalid_addressee"


class TooManyWaitsError(SignalingError):
    """The user waits for messages as often as he may at once."""

    code = "too_many_waits"

    def __init__(self) -> None:
        super().__init__("Too many requests of this user wait for messages at once")


class WrongStateError(SignalingError):
    """The sender's leg into the PBX is not in a state in which this can be done."""

    code = "wrong_state"


class NoGatewayError(SignalingError):
    """There is no gateway to the PBX, or it is not connected; it may be later."""

    code = "gateway_unavailable"

    def __init__(self, message: str = "No gateway to Asterisk takes calls from browsers") -> None:
        super().__init__(message)
