"""Errors of the AGI core.

    AgiError
    ├── AgiLocalError                 we were about to do, or did, something wrong
    │   ├── AgiGuardError             the command would hurt the PBX; nothing was sent
    │   ├── AgiStateError             not now: another command is in flight, or the session ended
    │   └── AgiDeadChannelError       the channel is hung up and the command needs a live one
    ├── AgiRemoteError                Asterisk's side broke the protocol; the session is over
    │   ├── AgiRequestError           the environment is cut short, too large or unreadable
    │   └── AgiReplyError             a reply nobody asked for, or one that cannot be read
    ├── AgiCommandError               Asterisk understood the command and refused or failed it
    ├── AgiTimeoutError               a command took longer than its deadline
    └── AgiHangupError                the channel was hung up, or its connection is gone

The split follows who is at fault, because that decides what to do: a local error is a bug of the
route, a remote error ends the session with `failure`, a command error is for the route to handle.
"""


class AgiError(Exception):
    """Root of every error the AGI core raises."""


class AgiLocalError(AgiError):
    """Our side asked for something that must not be sent."""


class AgiGuardError(AgiLocalError):
    """The command was refused before a byte was sent, because it would endanger the PBX."""


class AgiStateError(AgiLocalError):
    """The connection is in a state in which this command cannot be sent."""


class AgiDeadChannelError(AgiLocalError):
    """The channel is hung up; Asterisk would answer 511 to this command."""


class AgiRemoteError(AgiError):
    """The peer sent what Asterisk would never send; nothing it says later can be trusted.

    `kind` is a stable word for the measure of protocol errors.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class AgiRequestError(AgiRemoteError):
    """The environment block broke its rules."""


class AgiReplyError(AgiRemoteError):
    """A reply broke its rules, or came when none was due."""


class AgiCommandError(AgiError):
    """Asterisk answered with a code other than 200, or with the result that means failure.

    `command` is the command's name, `code` the reply code (200, 503, 510, 511 or 520), `result` the
    text after `result=` ("" when there was none).
    """

    def __init__(self, command: str, code: int, result: str, text: str) -> None:
        super().__init__(f"{command} answered {code} result={result} {text}".rstrip())
        self.command = command
        self.code = code
        self.result = result


class AgiTimeoutError(AgiError):
    """The reply did not come within the command's deadline."""


class AgiHangupError(AgiError):
    """The caller hung up, or the connection to Asterisk was lost, while a route was at work."""
