"""States of an `AgiConnection` to begin a test in, and what a peer would say."""

import re
from typing import Any

from fastagi_server.agi.command import Command
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.events import Event, PeerBroke, RequestReceived, State

ENVIRONMENT = b"agi_network: yes\nagi_uniqueid: 17.4\nagi_version: 22.10.1\n\n"
USAGE_BLOCK = (
    b"520-Invalid command syntax.  Proper usage follows:\n"
    b"Plays a file.\n\nReturns 0.\n"
    b"520 End of proper usage.\n"
)
GLUED_USAGE_BLOCK = (
    b"520-Invalid command syntax.  Proper usage follows:\nUsage: NOOP520 End of proper usage.\n"
)
MARKER_LINE = re.compile(rb'GET FULL VARIABLE "(sync-[0-9a-f]{12})"\n')


def idle(version: str = "22.10.1") -> AgiConnection:
    """A connection whose environment has come."""
    connection = AgiConnection()
    block = f"agi_network: yes\nagi_uniqueid: 17.4\nagi_version: {version}\n\n"
    assert [type(event) for event in connection.receive_data(block.encode())] == [RequestReceived]
    return connection


def awaiting(command: Command[Any]) -> AgiConnection:
    """A connection with this command in flight."""
    connection = idle()
    connection.send(command)
    return connection


def state(connection: AgiConnection) -> State:
    """The state now; type checkers believe that an attribute they have seen stays as it was."""
    return connection.state


def out_of_step(connection: AgiConnection) -> bool:
    """Whether a marker is due now; see `state`."""
    return connection.needs_sync


def echo(line: bytes) -> bytes:
    """What Asterisk answers to a marker."""
    match = MARKER_LINE.fullmatch(line)
    assert match is not None
    return b"200 result=1 (" + match[1] + b")\n"


def broke_kind(events: list[Event]) -> str:
    """The kind of error of a last event that must be a `PeerBroke`."""
    last = events[-1]
    assert isinstance(last, PeerBroke)
    return last.error.kind
