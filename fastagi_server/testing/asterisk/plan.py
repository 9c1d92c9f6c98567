"""What is decided about a session before it begins, faults included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command is answered instead of the truth, without being run.

    `data` goes out raw, in one write, after `after_seconds`: garbage, a reply twice, or nothing at
    all. `then` may close the connection, or reset it.
    """

    data: bytes
    after_seconds: float = 0.0
    then: Literal["go on", "close", "reset"] = "go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Faults of one session; the default has none.

    `environment` replaces the whole block; `header_lines` are put in before its empty line;
    `cut_environment_after` sends so many bytes of it and then ends the stream;
    `pause_between_bytes` (seconds) sends it byte by byte, as a slow-loris does. `answers` go by the
    beginning of a command, in any case of letters.
    """

    environment: bytes | None = None
    header_lines: Sequence[bytes] = ()
    cut_environment_after: int | None = None
    pause_between_bytes: float = 0.0
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])

    def answer_to(self, command: str) -> Answer | None:
        """Give the false answer to `command`, if there is one."""
        for beginning, answer in self.answers.items():
            if command.upper().startswith(beginning.upper()):
                return answer
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One session's part of what `FakeAsterisk` is given; the meanings are told there."""

    script: str
    arguments: Sequence[str]
    agi_version: str
    request: str | None = None
    intercepted: bool = False
    usage: bool = True
    hang_up_after: float | None = None
    hang_up_before: str | None = None
    hang_up_during: str | None = None
    faults: Faults = field(default_factory=Faults)
