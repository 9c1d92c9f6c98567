"""What may go wrong between us and the manager interface.

AmiError
├── AmiUnreachableError      no connection, or none any more; what was asked may have been done
├── AmiTooSlowError          no whole answer before the deadline: outcome unknown
├── AmiMessageError          what came is not what Asterisk says, or is too much of it
├── AmiLoginError            the user or the secret is wrong, or the address is not permitted
└── AmiRefusedError          Asterisk said no to an action, in its own words
"""

SHOWN_CHARACTERS = 200
"""As much of Asterisk's words as an error repeats."""


class AmiError(Exception):
    """Root of the errors of this package. `code` is a stable word for measures and error bodies."""

    code = "ami_error"


class AmiUnreachableError(AmiError):
    """There is no connection; or it was lost with an action on its way, which is not repeated."""

    code = "ami_unreachable"


class AmiTooSlowError(AmiError):
    """The action was sent and not answered in time."""

    code = "ami_too_slow"


class AmiMessageError(AmiError):
    """A message breaks the protocol, lacks what its event must have, or exceeds a limit."""

    code = "ami_bad_message"


class AmiLoginError(AmiError):
    """Asterisk did not accept the user. Its words are the same for a wrong name, secret or ACL."""

    code = "ami_login"


class AmiRefusedError(AmiError):
    """Asterisk refused `action` with `message`, at most 200 characters of it."""

    code = "ami_refused"

    def __init__(self, action: str, message: str) -> None:
        super().__init__(f"{action}: {message[:SHOWN_CHARACTERS]}")
        self.action = action
        self.message = message[:SHOWN_CHARACTERS]
