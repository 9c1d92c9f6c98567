"""What was said in a session, and what of it would have hurt a real PBX."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple


class Line(NamedTuple):
    """One line of a dialogue: seconds since the session began, direction as Asterisk sees it, text.

    `->` goes to the server and `<-` comes from it; `--` is an event, described in words.
    """

    seconds: float
    direction: Literal["->", "<-", "--"]
    text: str


Observer = Callable[[Line], object]
"""Told of each line as it happens."""


class Record:
    """The dialogue of one session, the commands in it, and the violations."""

    def __init__(self, observer: Observer | None = None) -> None:
        self.dialogue: list[Line] = []
        self.commands: list[str] = []
        self.violations: list[str] = []
        self._observer = observer
        self._began = time.monotonic()

    def start(self) -> None:
        """Count seconds from now on."""
        self._began = time.monotonic()

    def note(self, direction: Literal["->", "<-", "--"], text: str) -> None:
        """Add one line."""
        line = Line(time.monotonic() - self._began, direction, text)
        self.dialogue.append(line)
        if self._observer is not None:
            self._observer(line)

    def command(self, text: str) -> None:
        """Add a line that Asterisk takes for a command."""
        self.commands.append(text)
        self.note("<-", text)

    def violation(self, text: str) -> None:
        """Add something that would have hurt a real PBX."""
        self.violations.append(text)
        self.note("--", f"violation: {text}")
