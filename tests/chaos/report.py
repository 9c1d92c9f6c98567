"""What a run found, in words."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .api import Api
from .judge import Fault
from .story import Record, Step, Story

STORIES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Report:
    """One run: its figures, and for every fault the whole story of its call from all sides.

    `log` are the lines that the server logged.
    """

    seed: int
    kills: int
    seconds: float
    stories: Sequence[Story]
    records: Sequence[Record]
    faults: Sequence[Fault]
    api: Api
    log: Sequence[str]

    def __str__(self) -> str:
        """The figures, and the stories of the first faults."""
        return "\n".join([*self._figures(), *self._stories()])

    def _figures(self) -> Iterator[str]:
        left_open = sum(record.status != "ended" for record in self.records)
        yield f"seed {self.seed}: {self.kills} kills in {self.seconds:.0f} s"
        yield f"  calls: {len(self.stories)} in Asterisk, {len(self.records)} in the API"
        yield f"  register: {_counted(story.registered for story in self.stories)}"
        yield f"  accept: {_counted(story.accepted for story in self.stories)}"
        yield f"  end: {_counted(story.ended for story in self.stories)}; {left_open} left open"
        yield f"  API: {self.api.summary()}"
        yield f"  faults: {len(self.faults)}"

    def _stories(self) -> Iterator[str]:
        stories = {story.unique_id: story for story in self.stories}
        for fault in self.faults[:STORIES_SHOWN]:
            yield f"\n{fault.unique_id}: {fault.text}"
            steps = [(step, "API") for step in self._seen_by_api(fault.unique_id)]
            if fault.unique_id in stories:
                steps += [(step, "Asterisk") for step in stories[fault.unique_id].steps]
            for step, who in sorted(steps, key=lambda each: each[0].at):
                yield f"    {_clock(step.at)} {who}: {step.text}"
            yield from (f"    {line}" for line in self.log if fault.unique_id in line)

    def _seen_by_api(self, unique_id: str) -> Iterator[Step]:
        for record in self.records:
            if record.unique_id == unique_id:
                yield from self.api.steps(record)


def _counted(answers: Iterator[str | None]) -> str:
    counts = Counter("nothing" if answer == "" else answer for answer in answers)
    del counts[None]
    return ", ".join(f"{answer} {count}" for answer, count in counts.most_common())


def _clock(at: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.gmtime(at))}.{int(at * 1000) % 1000:03}"
