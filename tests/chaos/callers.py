"""Who makes the calls: the fake Asterisk, many at once, as the shipped dialplan would."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol
from urllib.parse import urlencode

from fastagi_server.testing.asterisk.signal import Signal
from fastagi_server.testing.fake_asterisk import FakeAsterisk

from .story import Step, Story

SYSTEM: Final = "pbx1"
CROWD: Final = 24
RETRY_SECONDS: Final = 1.0
"""The dialplan's Wait(1) before it asks the successor of a server that died."""

SESSION_SECONDS: Final = 60.0
"""A session that the server has not ended by then has kept a channel of the PBX."""

LONGEST_CALL_SECONDS: Final = 0.8
LONGEST_PAUSE_SECONDS: Final = 0.4
SHIPPED_TRIES: Final = 2
PERSISTENT_TRIES: Final = 20

ANSWERED: Final = 0.6
IMPATIENT: Final = 0.15
HASTY: Final = 0.1
PERSISTENT: Final = 0.5


class Callers(Protocol):
    """Makes calls until it is told to stop."""

    @property
    def stories(self) -> list[Story]:
        """Every call that was made."""
        ...

    async def call_until(self, enough: Callable[[], bool]) -> None:
        """Make calls; once there are enough, return when the last of them has ended."""
        ...

    async def wait_for_sessions(self, number: int, seconds: float) -> None:
        """Return when a server has answered so many more questions, or after `seconds`."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How one call goes; seconds are counted from its beginning.

    The phone is `answered` or busy. An impatient caller hangs up at `hangs_up_after`, whatever the
    server does then. A `hasty` one hangs up while SGE is told that the phone was answered. The
    shipped dialplan does not ask again where nobody listens; a `persistent` one does.
    """

    answered: bool
    hasty: bool
    persistent: bool
    hangs_up_after: float | None
    talk_seconds: float

    @classmethod
    def of(cls, chance: random.Random) -> "Manner":
        """One of the ways calls go."""
        return cls(
            answered=chance.random() < ANSWERED,
            hasty=chance.random() < HASTY,
            persistent=chance.random() < PERSISTENT,
            hangs_up_after=chance.uniform(0, 0.6) if chance.random() < IMPATIENT else None,
            talk_seconds=chance.uniform(0, LONGEST_CALL_SECONDS),
        )


class FakeCallers:
    """`CROWD` callers who call the server at `host`:`port` by dialplan/extensions.conf."""

    def __init__(self, host: str, port: int, chance: random.Random) -> None:
        self.stories: list[Story] = []
        self._host = host
        self._port = port
        self._chance = chance
        self._numbers = count(100_001)
        self._epoch = int(time.time())
        self._sessions = 0
        self._progress = Signal()

    async def call_until(self, enough: Callable[[], bool]) -> None:
        """See `Callers`."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CROWD):
                tasks.create_task(self._call_until(enough))

    async def wait_for_sessions(self, number: int, seconds: float) -> None:
        """See `Callers`."""
        wanted = self._sessions + number
        await self._progress.until(lambda: self._sessions >= wanted, seconds)

    async def _call_until(self, enough: Callable[[], bool]) -> None:
        while not enough():
            story = await self.call(Manner.of(self._chance))
            pause_seconds = self._chance.uniform(0, LONGEST_PAUSE_SECONDS)
            # Fewer calls while nobody answers: they would only be more of the same.
            await asyncio.sleep(pause_seconds if story.registered else RETRY_SECONDS)

    async def call(self, manner: Manner) -> Story:
        """Make one call: register, accept when the phone answers, and end in any case."""
        number = next(self._numbers)
        story = Story(f"{self._epoch}.{number}")
        self.stories.append(story)
        caller = self._channel(f"PJSIP/1002-{number:08x}", story.unique_id)
        if manner.hangs_up_after is not None:
            asyncio.get_running_loop().call_later(manner.hangs_up_after, caller.channel.hang_up)
        await self._register(story, caller, manner)
        if manner.answered and story.call_id and not caller.channel.hung_up:
            await self._talk(story, caller, manner)
        else:
            caller.channel.variables["DIALSTATUS"] = "BUSY"
            await self._end(story, caller, manner)
        return story

    async def _register(self, story: Story, caller: FakeAsterisk, manner: Manner) -> None:
        query = {
            "participant": "SIP/1001",
            "type": "audio",
            "dialled": "1001",
            "context": "sky-genesis-voip",
            "linkedid": story.unique_id,
            "system": SYSTEM,
        }
        story.registered = await self._ask(
            story, caller, "register", query, persistent=manner.persistent
        )
        story.call_id = caller.channel.variables.get("SGE_CALL_ID", "")

    async def _talk(self, story: Story, caller: FakeAsterisk, manner: Manner) -> None:
        caller.channel.variables["DIALSTATUS"] = "ANSWER"
        if manner.hasty:
            story.overtaken = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._accept(story))
                tasks.create_task(self._end(story, caller, manner))
            return
        await self._accept(story)
        await asyncio.sleep(manner.talk_seconds)
        await self._end(story, caller, manner)

    async def _accept(self, story: Story) -> None:
        """Subroutine sge-answered, on the called channel: asked once."""
        callee = self._channel("PJSIP/1001-callee", f"{story.unique_id}-callee")
        query = {"call": story.call_id, "uniqueid": story.unique_id, "system": SYSTEM}
        story.accepted = await self._ask_once(story, callee, "accept", query)

    async def _end(self, story: Story, caller: FakeAsterisk, manner: Manner) -> None:
        caller.channel.hang_up()
        caller.channel.variables["AGIEXITONHANGUP"] = "no"
        story.dial_status = caller.channel.variables["DIALSTATUS"]
        query = {"dialled": "1001", "system": SYSTEM}
        story.ended = await self._ask(story, caller, "end", query, persistent=manner.persistent)

    async def _ask(
        self,
        story: Story,
        fake: FakeAsterisk,
        route: str,
        query: dict[str, str],
        *,
        persistent: bool,
    ) -> str:
        """Ask until there is an answer, no try is left, or the caller hangs up; the answer."""
        was_dead = fake.channel.hung_up
        for _ in range(PERSISTENT_TRIES if persistent else SHIPPED_TRIES):
            answer = await self._ask_once(story, fake, route, query)
            if answer or (fake.status != "SUCCESS" and not persistent):
                return answer
            await asyncio.sleep(RETRY_SECONDS)
            if fake.channel.hung_up and not was_dead:
                return ""
        return ""

    async def _ask_once(
        self, story: Story, fake: FakeAsterisk, route: str, query: dict[str, str]
    ) -> str:
        """AGI(): the SGE_STATUS it leaves."""
        fake.channel.variables["SGE_STATUS"] = ""
        story.steps.append(Step(time.time(), f"asks {route}"))
        await fake.run(self._host, self._port, f"{route}?{urlencode(query)}")
        self._sessions += fake.status != "FAILURE"
        self._progress.notify()
        answer = fake.channel.variables["SGE_STATUS"]
        told = (
            f"{answer} {fake.channel.variables.get('SGE_ERROR_CODE', '')}" if answer else "silence"
        )
        story.steps.append(Step(time.time(), f"{route}: AGISTATUS={fake.status}, {told}"))
        return answer

    def _channel(self, name: str, unique_id: str) -> FakeAsterisk:
        return FakeAsterisk(
            channel=name,
            unique_id=unique_id,
            variables={"AGIEXITONHANGUP": "yes", "HANGUPCAUSE": "16"},
            deadline=SESSION_SECONDS,
        )
