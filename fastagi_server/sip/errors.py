"""What may go wrong between us and a SIP peer.

    SipError
    ├── SipSyntaxError      what the peer sent is no SIP, or is too much of it
    ├── SipValueError       what we were asked to send cannot be said in SIP (also a ValueError)
    ├── SipStateError       a leg was asked for what it cannot do as it stands
    └── SipUnreachableError no connection to the peer, or none any more

The message is for people and never repeats more of the input than its first characters.
"""

SHOWN_CHARACTERS = 80
"""As much of the peer's words as an error repeats."""


class SipError(Exception):
    """Root of the errors of this package. `code` is a stable word for measures and logs."""

    code = "sip_error"


class SipSyntaxError(SipError):
    """The peer's bytes break the syntax or a limit. Its connection cannot be believed any more."""

    code = "sip_syntax"

    def __init__(self, what: str, text: str = "") -> None:
        super().__init__(f"{what}: {text[:SHOWN_CHARACTERS]!r}" if text else what)


class SipValueError(SipError, ValueError):
    """A value of ours holds a line end, a control character, or what its place does not allow."""

    code = "sip_value"


class SipStateError(SipError):
    """The leg's owner asked out of turn, such as for an answer to an offer that nobody made."""

    code = "sip_state"


class SipUnreachableError(SipError):
    """The connection could not be made, was lost, or is answered no more."""

    code = "sip_unreachable"
