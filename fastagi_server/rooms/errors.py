"""Why a request about a room is refused.

    RoomError
    ├── InvalidRoomError        the order itself cannot be a room (also a ValueError)
    ├── RoomNotFoundError       no room has this id or number
    ├── MemberNotFoundError     the room has no such member
    ├── RoomClosedError         the room was closed; a closed room never opens again
    ├── NumberTakenError        another active room has this number
    ├── RoomLimitError          the owner has as many active rooms as he may have
    ├── RoomBusyError           too many changes of this room wait for the PBX
    └── RoomForbiddenError      the room exists, this identity may not do that with it
        ├── RoomFullError           every seat is taken
        ├── RoomLockedError         nobody else may come in now
        └── WrongPasswordError      the password is missing or wrong

What the PBX refuses, or cannot be asked, is a `calls.errors.PbxError` here as well, and a repeated
key with another order a `calls.errors.KeyReusedError`. Each class has a stable `code` for programs;
the message is for people and never repeats input.
"""


class RoomError(Exception):
    """Root of everything this topic refuses."""

    code = "room_error"


class InvalidRoomError(RoomError, ValueError):
    """The order breaks a limit."""

    code = "invalid_request"


class RoomNotFoundError(RoomError):
    """No room has this id or number."""

    code = "room_not_found"

    def __init__(self) -> None:
        super().__init__("Room not found")


class MemberNotFoundError(RoomError):
    """The room has no such member."""

    code = "member_not_found"

    def __init__(self) -> None:
        super().__init__("Member not found")


class RoomClosedError(RoomError):
    """The room was closed."""

    code = "room_closed"

    def __init__(self) -> None:
        super().__init__("Room is closed")


class NumberTakenError(RoomError):
    """Another active room has this number."""

    code = "number_taken"

    def __init__(self) -> None:
        super().__init__("Another room has this number")


class RoomLimitError(RoomError):
    """The owner has as many active rooms as he may have."""

    code = "concurrency_exceeded"

    def __init__(self) -> None:
        super().__init__("Too many active rooms of this user")


class RoomBusyError(RoomError):
    """The changes of this room that were asked for before did not end in time."""

    code = "room_busy"

    def __init__(self) -> None:
        super().__init__("Room is busy")


class RoomForbiddenError(RoomError):
    """The identity may not do this with this room."""

    code = "forbidden"


class RoomFullError(RoomForbiddenError):
    """Every seat is taken."""

    code = "room_full"

    def __init__(self) -> None:
        super().__init__("Room is full")


class RoomLockedError(RoomForbiddenError):
    """Nobody else may come in now."""

    code = "room_locked"

    def __init__(self) -> None:
        super().__init__("Room is locked")


class WrongPasswordError(RoomForbiddenError):
    """The password is missing or wrong."""

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__("Room password is missing or wrong")
