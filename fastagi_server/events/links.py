"""Events of what is measured anyway: how the links stand, and how calls sound."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from fastagi_server.events.models import Event
from fastagi_server.telemetry.kinds import Labels
from fastagi_server.telemetry.measures import Measures

LOOK_SECONDS = 1.0
"""A link that was down for less may not be told of."""


class MeasureWatch:
    """Looks at the measures and publishes what has changed since the last look."""

    def __init__(
        self,
        measures: Measures,
        publish: Callable[[Event], None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._measures = measures
        self._publish = publish
        self._now = now
        self._known: dict[tuple[str, Labels], bool] = {}
        self._mos: float | None = None

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Publish what has changed; of a link that is new only that it is up."""
        for link, labels, is_up in self._links():
            if self._known.get((link, labels), False) != is_up:
                kind = "link.up" if is_up else "link.down"
                data = {"link": link, "name": ",".join(labels)}
                self._publish(Event(kind, self._now(), data=data))
            self._known[link, labels] = is_up
        mos = self._measures.mos.values.get(())
        if mos is not None and mos != self._mos:
            self._publish(Event("quality.sampled", self._now(), data={"mos": round(mos, 2)}))
        self._mos = mos

    def _links(self) -> Iterator[tuple[str, Labels, bool]]:
        for labels, value in self._measures.ari_link_up.values.items():
            yield "ari", labels, bool(value)
        for labels, value in self._measures.ami_link_up.values.items():
            yield "ami", labels, bool(value)
        for labels, value in self._measures.sge_breaker_open.values.items():
            yield "sge", labels, not value
