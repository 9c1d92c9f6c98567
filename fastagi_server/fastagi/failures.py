"""What goes wrong with a session, in a stable word for the dialplan and one line for the log."""

import structlog

from fastagi_server.agi.errors import (
    AgiCommandError,
    AgiDeadChannelError,
    AgiHangupError,
    AgiRemoteError,
    AgiTimeoutError,
)
from fastagi_server.fastagi.router import ArgumentError

_log = structlog.stdlib.get_logger("fastagi")


def code_of(error: BaseException, *, path: str, unique_id: str) -> str:
    """The code of `endings.TEXTS` for an error that left the route at `path`.

    Logs it too, but for a hang-up, of which the line at the session's end tells. What no route
    should let out is the route's own mistake, and logged with its trace.
    """
    match error:
        case ArgumentError():
            _log.warning("bad_argument", route=path, unique_id=unique_id, reason=str(error))
            return "bad_argument"
        case AgiHangupError() | AgiDeadChannelError():
            return "hangup"
        case AgiRemoteError():
            log_protocol_error(error, path=path)
            return "protocol_error"
        case AgiTimeoutError():
            _log.warning("command_timeout", route=path, unique_id=unique_id, reason=str(error))
            return "command_timeout"
        case AgiCommandError():
            _log.warning("command_failed", route=path, unique_id=unique_id, reason=str(error))
            return "command_failed"
        case _:
            _log.error("route_failed", route=path, unique_id=unique_id, exc_info=error)
            return "internal_error"


def log_protocol_error(error: AgiRemoteError, *, path: str) -> None:
    """Say how the peer broke the protocol."""
    _log.warning("agi_protocol_error", route=path, kind=error.kind, reason=str(error))
