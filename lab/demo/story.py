"""What each side saw of one call; `real` and `fake` tell it, `report` shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CALLER: Final = "1002"
CALLED: Final = "1001"
SYSTEM: Final = "pbx1"

RING_MS: Final = 800
TALK_MS: Final = 1500

VARIABLES: Final = (
    "AGISTATUS",
    "SGE_STATUS",
    "SGE_CALL_ID",
    "SGE_CHANNEL_ID",
    "SGE_ERROR",
    "SGE_ERROR_CODE",
)
"""What the dialplan goes on with."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line of AGI, `ms` after the first; `by` is Asterisk or service."""

    ms: float
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question of the service to SGE, and its answer; `key` is the idempotency key."""

    target: str
    key: str
    question: Mapping[str, Any]
    status: int
    answer: Mapping[str, Any]

    @classmethod
    def from_log(cls, line: Mapping[str, Any], question: Any, answer: Any) -> "Exchange":
        """Read the service's log line `sge_answer`, its two documents parsed already."""
        return cls(line["target"], line["key"], question, line["status"], answer)


@dataclass(frozen=True, slots=True)
class Moment:
    """From when on the record had a status, `ms` after the call was placed."""

    ms: float
    status: str


@dataclass(frozen=True, slots=True)
class Story:
    """The whole call.

    `dialogue` is the AGI session that registered it, `phones` the SIP messages of each phone (`>`
    sent, `<` received), `pbx_talk_ms` the talking time by the PBX's own record, if it keeps one,
    `complaints` what the PBX did not like.
    """

    dialogue: Sequence[Said]
    exchanges: Sequence[Exchange]
    variables: Mapping[str, str]
    phones: Mapping[str, Sequence[str]]
    life: Sequence[Moment]
    record: Mapping[str, Any]
    pbx_talk_ms: int | None
    complaints: Sequence[str]

    @property
    def registered_ms(self) -> float:
        """From the first line of AGI to the last variable, as Asterisk's clock has it."""
        commands = [said.ms for said in self.dialogue if said.by == "service"]
        return max(commands, default=0.0)
