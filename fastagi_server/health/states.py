"""The words of health, the same in HTTP, in AGI and for the service manager.

every dependency up                    ok        ready
one down or degraded, none needed      degraded  ready
one that is needed is down             down      not ready
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """How a dependency stands: `degraded` does its work, with something to be looked at."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Condition:
    """What one look at a dependency found.

    `reason` says in a few fixed words why it is not up; `detail` is the error's own text, for
    operators only. `since` is given by who knows it better than one who looks now and then.
    """

    state: State = State.UP
    reason: str = ""
    detail: str = ""
    since: datetime | None = None

    @property
    def error(self) -> str:
        """Reason and detail in one text; empty when up."""
        return ": ".join(filter(None, (self.reason, self.detail)))


@dataclass(frozen=True, slots=True)
class Dependency:
    """How a dependency stands since when, in UTC; without what `is_needed` nothing can be done.

    `last_error` is why it is not up or, once it is again, why it was not; empty when it always was.
    """

    name: str
    is_needed: bool
    state: State
    since: datetime
    reason: str
    last_error: str


@dataclass(frozen=True, slots=True)
class Summary:
    """All dependencies as they were at the last look, and what that comes to."""

    dependencies: tuple[Dependency, ...]

    @property
    def is_ready(self) -> bool:
        """Whether what is needed does its work."""
        return not any(d.is_needed and d.state is State.DOWN for d in self.dependencies)

    @property
    def word(self) -> str:
        """`ok`, `degraded` or `down`."""
        if not self.is_ready:
            return "down"
        return "degraded" if self.reason else "ok"

    @property
    def reason(self) -> str:
        """Why it is not better, in fixed words; empty when all is well."""
        return ", ".join(d.reason for d in self.dependencies if d.state is not State.UP)

    def state_of(self, name: str) -> State:
        """How one dependency stands; up where the service has none of that name."""
        return next((d.state for d in self.dependencies if d.name == name), State.UP)
