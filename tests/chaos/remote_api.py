"""An SGE API that outlives the server, reached over HTTP and often in a bad state."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from socket import SOCK_STREAM
from typing import Any, Final

from fastagi_server.testing.sge import Behaviour, FakeSge
from fastagi_server.testing.sge_calls import CallBook, CallError, Resource
from lab.ports import is_free

from .api import LONGEST_SPELL_SECONDS
from .story import Record, Step

LONGEST_DELAY_SECONDS: Final = 1.5
PORTS: Final = range(10_000, 19_000)
"""Below Linux's ephemeral range: nobody is given the port while the API is away."""

SPELLS: Final[Mapping[Behaviour | None, int]] = {
    Behaviour.OBEY: 8,
    Behaviour.SLOW: 4,
    Behaviour.LOSE_ANSWER: 3,
    Behaviour.CUT: 2,
    Behaviour.TRUNCATED: 1,
    Behaviour.ERROR: 2,
    Behaviour.UNAVAILABLE: 1,
    Behaviour.CLOSE: 1,
    Behaviour.HANG: 1,
    None: 2,
}
"""Weights of the kinds of weather; None is an API that refuses connections."""


class WitnessBook(CallBook):
    """A book that remembers who asked for what, and what it changed.

    A request with another key, or with none, makes another call, whatever channel it names: here
    nothing but the server's own keys keeps it from making doubles.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, list[str]] = {}
        self.steps: dict[str, list[Step]] = {}
        self.answers: Counter[str] = Counter()

    def create(self, wanted: Any, key: str | None) -> tuple[bool, Resource]:
        """See `CallBook`."""
        new, call = super().create(wanted, key)
        self._note(call["id"], f"create with key {key}", "created")
        return new, call

    def accept(self, call_id: str, facts: Resource) -> Resource:
        """See `CallBook`."""
        try:
            call = super().accept(call_id, facts)
        except CallError as error:
            self.answers[f"accept refused as {error.code}"] += 1
            raise
        self._note(call_id, "accept", "accepted")
        return call

    def end(self, call_id: str, facts: Resource) -> Resource:
        """See `CallBook`."""
        call = super().end(call_id, facts)
        self._note(call_id, "end", "ended")
        return call

    def _note(self, call_id: str, text: str, event: str) -> None:
        events = self.events.setdefault(call_id, [])
        word = "repeated" if event in events else event
        self.answers[f"{event} {'again' if word == 'repeated' else 'once'}"] += 1
        self.steps.setdefault(call_id, []).append(Step(time.time(), f"{text}: {word}"))
        if event not in events:
            events.append(event)


class RemoteApi(FakeSge):
    """The fake SGE API with a witness and with weather; see `api.Api`."""

    def __init__(self) -> None:
        super().__init__(api_key="chaos")
        self.port = _free_port()
        self.book = self._book = WitnessBook()

    @property
    def settings(self) -> Mapping[str, str]:
        """See `api.Api`. The patience is short, so that slowness makes the server queue."""
        return {"SGE_API_URL": self.url, "SGE_API_KEY": "chaos", "SGE_DEADLINE_SECONDS": "0.5"}

    async def weather(self, chance: random.Random) -> None:
        """See `api.Api`."""
        try:
            while True:
                (spell,) = chance.choices(list(SPELLS), list(SPELLS.values()))
                await self._endure(spell, chance)
        finally:
            self.behaviour = Behaviour.OBEY

    async def _endure(self, spell: Behaviour | None, chance: random.Random) -> None:
        seconds = chance.uniform(0, LONGEST_SPELL_SECONDS)
        self.delay = chance.uniform(0, LONGEST_DELAY_SECONDS)
        if spell is not None:
            self.behaviour = spell
            await asyncio.sleep(seconds)
            return
        self.behaviour = Behaviour.OBEY
        await self.__aexit__(None, None, None)
        try:
            await asyncio.sleep(seconds)
        finally:
            await self.__aenter__()

    def records(self) -> list[Record]:
        """See `api.Api`."""
        return [
            Record(
                call_id,
                call["metadata"].get("asterisk_call_id", ""),
                call["status"],
                call.get("dial_status", ""),
                tuple(self.book.events[call_id]),
            )
            for call_id, call in self.calls.items()
        ]

    def steps(self, record: Record) -> Iterable[Step]:
        """See `api.Api`."""
        return self.book.steps[record.call_id]

    def summary(self) -> str:
        """See `api.Api`."""
        answers = ", ".join(f"{text} {count}" for text, count in sorted(self.book.answers.items()))
        return f"{len(self.requests)} requests; {answers}"


def _free_port() -> int:
    numbers = random.SystemRandom()
    while not is_free(SOCK_STREAM, port := numbers.choice(PORTS)):
        pass
    return port
