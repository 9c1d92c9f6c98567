"""What a party may do with a call that is under way, checked.

`participant` names the leg that is meant, as the call's own `participants` write it; None is the
leg of whoever asks, and the caller's where he has none.
"""

import re
from dataclasses import dataclass
from typing import Literal

from fastagi_server.calls.errors import InvalidCallError
from fastagi_server.calls.models import EventKind
from fastagi_server.calls.participants import check_participants, is_dial_string

MAX_DIGITS = 64
MAX_SOUND_LENGTH = 128

_DIGITS = re.compile(rf"[0-9A-Da-d*#]{{1,{MAX_DIGITS}}}")
# A name below Asterisk's folder of sounds; no other kind of media, no way out of the folder.
SOUND_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*$"
_SOUND = re.compile(SOUND_PATTERN)

Direction = Literal["in", "out", "both"]
"""Of media, seen from the call: `in` is what the phone says, `out` what it hears."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Let the others hear music until Unhold."""

    participant: str | None = None


@dataclass(frozen=True, slots=True)
class Unhold:
    """Take the others back."""


@dataclass(frozen=True, slots=True)
class Mute:
    """Let a phone not be heard, not hear, or both."""

    participant: str | None = None
    direction: Direction = "in"


@dataclass(frozen=True, slots=True)
class Unmute:
    """End what Mute began."""

    participant: str | None = None
    direction: Direction = "in"


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys (0-9, A-D, *, #) towards the other phones."""

    digits: str
    participant: str | None = None

    def __post_init__(self) -> None:
        if _DIGITS.fullmatch(self.digits) is None:
            raise InvalidCallError(f"digits must be 1 to {MAX_DIGITS} of 0-9, A-D, * and #")


@dataclass(frozen=True, slots=True)
class Play:
    """Play one of Asterisk's sounds, such as `hello-world`, to everybody or to one participant."""

    sound: str
    participant: str | None = None

    def __post_init__(self) -> None:
        if len(self.sound) > MAX_SOUND_LENGTH or _SOUND.fullmatch(self.sound) is None:
            raise InvalidCallError("sound must be the name of a sound file, without its extension")


@dataclass(frozen=True, slots=True)
class Transfer:
    """Leave the call and let another phone, a dial string, take the place (blind transfer)."""

    to: str
    participant: str | None = None

    def __post_init__(self) -> None:
        check_participants((self.to,))
        if not is_dial_string(self.to):
            raise InvalidCallError("to must be a dial string (TECHNOLOGY/resource)")


Command = Hold | Unhold | Mute | Unmute | SendDtmf | Play | Transfer

LOGGED: dict[type[Command], EventKind] = {
    Mute: EventKind.MUTED,
    Unmute: EventKind.UNMUTED,
    SendDtmf: EventKind.DTMF,
    Play: EventKind.PLAYED,
    Transfer: EventKind.TRANSFERRED,
}
"""How a command is written into the log; hold and its end are, as states of the call."""


def logged_facts(command: Command) -> dict[str, str | int]:
    """What the log keeps of a command. Keys pressed may be a secret: only their number is kept."""
    match command:
        case Mute() | Unmute():
            facts: dict[str, str | int] = {"direction": command.direction}
        case SendDtmf():
            facts = {"digits": len(command.digits)}
        case Play():
            facts = {"sound": command.sound}
        case Transfer():
            facts = {"to": command.to}
        case _:
            return {}
    return facts if command.participant is None else {**facts, "participant": command.participant}
