"""Calls made by a real Asterisk with the shipped dialplan, and read from its log afterwards."""

import asyncio
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from lab.asterisk import Asterisk

from .story import Step, Story

CROWD: Final = 4
LONGEST_PAUSE_SECONDS: Final = 0.6
IDLE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05

EXTENSIONS: Final = """
[chaos]
; Handlers run from the last pushed to the first: chaos-ending, sge-ended, chaos-ended.
exten => call,1,Answer()
 same => n,Verbose(0,CHAOS ${UNIQUEID} begin=)
 same => n,Set(CHANNEL(hangup_handler_push)=chaos-ended,s,1)
 same => n,Gosub(sge-register,s,1(SIP/1001,audio,1001))
 same => n,Set(said=register=${SGE_STATUS} call=${SGE_CALL_ID} code=${SGE_ERROR_CODE})
 same => n,Verbose(0,CHAOS ${UNIQUEID} ${said})
 same => n,Set(CHANNEL(hangup_handler_push)=chaos-ending,s,1)
 same => n,Dial(Local/phone@chaos,10,U(chaos-answered^${SGE_CALL_ID}^${UNIQUEID}))
 same => n,Hangup()
exten => phone,1,Answer()
 same => n,Wait(0.3)
 same => n,Hangup()

[chaos-answered]
exten => s,1,GotoIf($[${LEN(${ARG1})} = 0]?done)
 same => n,Gosub(sge-answered,s,1(${ARG1},${ARG2}))
 same => n,Verbose(0,CHAOS ${ARG2} accept=${SGE_STATUS})
 same => n(done),Return()

[chaos-ending]
; What is there after sge-ended is then its own answer.
exten => s,1,Set(SGE_STATUS=)
 same => n,Return()

[chaos-ended]
exten => s,1,Verbose(0,CHAOS ${UNIQUEID} end=${SGE_STATUS} dial=${DIALSTATUS})
 same => n,Return()
"""

UNANSWERED: Final = "service_unreachable"
"""The dialplan's own code for a server that did not answer, which it calls FAILED."""

_LINE = re.compile(r"^\[([\d :.-]+)\] VERBOSE\S* \S+: CHAOS (\S+) (.*)$", re.MULTILINE)


class AsteriskCallers:
    """Local channels that register, dial, are answered and end; see `callers.Callers`.

    `asterisk` runs with `EXTENSIONS` and asks the server of the run.
    """

    def __init__(self, asterisk: Asterisk, chance: random.Random) -> None:
        self._asterisk = asterisk
        self._chance = chance

    @property
    def stories(self) -> list[Story]:
        """See `callers.Callers`."""
        return read_stories(self._asterisk.log())

    async def call_until(self, enough: Callable[[], bool]) -> None:
        """See `callers.Callers`."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CROWD):
                tasks.create_task(self._call_until(enough))
        if not await asyncio.to_thread(self._asterisk.wait_idle, IDLE_SECONDS):
            raise TimeoutError(self._asterisk.cli("core show channels"))

    async def wait_for_sessions(self, number: int, seconds: float) -> None:
        """See `callers.Callers`; what the dialplan says of an answer is taken for it."""
        wanted = self._said() + number
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and self._said() < wanted:  # noqa: ASYNC110 - a file
            await asyncio.sleep(POLL_SECONDS)

    async def _call_until(self, enough: Callable[[], bool]) -> None:
        while not enough():
            await asyncio.to_thread(
                self._asterisk.control.originate,
                "Local/wait@lab",
                context="chaos",
                extension="call",
            )
            await asyncio.sleep(self._chance.uniform(0, LONGEST_PAUSE_SECONDS))

    def _said(self) -> int:
        return self._asterisk.log().count(" CHAOS ")


def read_stories(log: str) -> list[Story]:
    """The calls in Asterisk's log: what the dialplan's Verbose said, in the order it said it."""
    stories: dict[str, Story] = {}
    for at, unique_id, said in _LINE.findall(log):
        story = stories.setdefault(unique_id, Story(unique_id))
        story.steps.append(Step(datetime.fromisoformat(at).astimezone(UTC).timestamp(), said))
        facts = dict(word.split("=", 1) for word in said.split(" "))
        if "register" in facts:
            story.registered = "" if facts["code"] == UNANSWERED else facts["register"]
            story.call_id = facts["call"]
        if "accept" in facts:
            story.accepted = facts["accept"]
        if "end" in facts:
            story.ended, story.dial_status = facts["end"], facts["dial"]
    return list(stories.values())
