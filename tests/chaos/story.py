"""One call as Asterisk lived it: what it asked, what it was told, and when."""

from dataclasses import dataclass, field
from typing import Final

ACKNOWLEDGED: Final = frozenset({"REGISTERED", "QUEUED"})
"""Values of SGE_STATUS with which the server has taken a statement on itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, at an instant of the wall clock."""

    at: float
    text: str


@dataclass(slots=True)
class Story:
    """One call: the answers to its three questions, and everything that happened.

    An answer is the SGE_STATUS that the session left, "" when there was none, and None when the
    question was never asked. `call_id` is the SGE_CALL_ID that came with the answer to `register`;
    `dial_status` is what the channel held when it ended. A call is `overtaken` when it was ended
    while the server was being told that it was answered: what comes second then has no effect.
    """

    unique_id: str
    registered: str | None = None
    call_id: str = ""
    accepted: str | None = None
    ended: str | None = None
    dial_status: str = ""
    overtaken: bool = False
    steps: list[Step] = field(default_factory=list[Step])

    @property
    def answers(self) -> dict[str, str]:
        """What each question was answered; those that were not are left out."""
        given = {"register": self.registered, "accept": self.accepted, "end": self.ended}
        return {verb: answer for verb, answer in given.items() if answer}


@dataclass(frozen=True, slots=True)
class Record:
    """One call as the API has it: `events` are its changes, oldest first, each in one word."""

    call_id: str
    unique_id: str
    status: str
    dial_status: str
    events: tuple[str, ...]
