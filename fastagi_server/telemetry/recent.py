"""The last warnings and errors of the log, for whoever looks at the service and not at its log."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastagi_server.telemetry.masking import Masker

MAX_LINES = 20

MAX_DETAIL = 200
"""Characters of the fields of one line that are kept."""

LEVELS = frozenset({"warning", "error", "critical"})

_OURS = frozenset({"event", "level", "logger", "timestamp", "exception"})


@dataclass(frozen=True, slots=True)
class RecentLine:
    """One line: `at` is RFC 3339, `detail` its fields as words, masked; said `times` in a row."""

    number: int
    at: str
    level: str
    event: str
    detail: str
    times: int = 1


class RecentLines:
    """Keeps the last of them; one that is said again in a row is counted, not kept twice.

    A `masker` masks what the log itself shows, for viewers who may see less than its readers.
    """

    def __init__(self, limit: int = MAX_LINES, *, masker: Masker | None = None) -> None:
        self._masker = masker
        self._lines: deque[RecentLine] = deque(maxlen=limit)
        self._noted = 0

    def note(self, line: Mapping[str, Any]) -> None:
        """Take the fields of a finished line, of any level; never raises."""
        if line["level"] not in LEVELS:
            return
        if self._masker is not None:
            line = {**line, "event": self._masker.text(str(line["event"]))}
            self._masker.event(line)
        at, level, event = line["timestamp"], line["level"], str(line["event"])[:MAX_DETAIL]
        detail = _detail(line)
        last = self._lines[-1] if self._lines else None
        if last is not None and (last.level, last.event, last.detail) == (level, event, detail):
            self._lines[-1] = replace(last, at=at, times=last.times + 1)
            return
        self._noted += 1
        self._lines.append(RecentLine(self._noted, at, level, event, detail))

    def newest_first(self) -> Sequence[RecentLine]:
        """The lines."""
        return tuple(reversed(self._lines))


def _detail(line: Mapping[str, Any]) -> str:
    words = (f"{name}={value}" for name, value in line.items() if name not in _OURS)
    return " ".join(words)[:MAX_DETAIL]
