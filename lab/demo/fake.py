"""The same call with the shipped fake Asterisk: no phones, but the same service and AGI."""

import asyncio
from collections.abc import Callable

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from lab.demo.story import CALLED, CALLER, RING_MS, SYSTEM, TALK_MS, VARIABLES, Said, Story
from lab.demo.watch import SETTINGS, Watch
from lab.service import Service

UNIQUE_ID = "1767268800.0"
NORMAL_CLEARING = 16

# What the dialplan asks, and what Dial leaves on the caller's channel when the call is over.
REGISTER = f"register?participant=SIP%2F{CALLED}&dialled={CALLED}&system={SYSTEM}"
END = f"end?dialled={CALLED}&system={SYSTEM}"
DIALLED = {
    "DIALSTATUS": "ANSWER",
    "RINGTIME_MS": "0",
    "DIALEDTIME_MS": str(RING_MS + TALK_MS),
    "ANSWEREDTIME_MS": str(TALK_MS),
}

Say = Callable[[str, str], object]


def place(say: Say) -> Story:
    """Act the call and return what everybody saw; raises LabError when it does not work."""
    with Service.start(SETTINGS) as service:
        say("Asterisk", "the shipped fake, which speaks AGI as Asterisk 22 does")
        say("service", f"{service.agi}, with its SGE API on {service.api} and SQLite")
        say(
            "phones", f"none: {CALLER} and {CALLED} are acted: ring {RING_MS} ms, talk {TALK_MS} ms"
        )
        return asyncio.run(_act(service))


async def _act(service: Service) -> Story:
    host, _, port = service.agi.removeprefix("agi://").rpartition(":")
    watch = Watch(service)
    caller = FakeAsterisk(
        REGISTER, unique_id=UNIQUE_ID, caller_number=CALLER, caller_name=f"User {CALLER}"
    )
    await caller.run(host, int(port))
    dialogue = [
        Said(line.seconds * 1000, "Asterisk" if line.direction == "->" else "service", line.text)
        for line in caller.dialogue
        if line.direction != "--"
    ]
    variables = {name: caller.channel.variables.get(name, "") for name in VARIABLES}
    await asyncio.to_thread(watch.until, "initiating")
    await asyncio.sleep(RING_MS / 1000)
    call_id = variables["SGE_CALL_ID"]
    accept = f"accept?call={call_id}&uniqueid={UNIQUE_ID}&system={SYSTEM}"
    callee = FakeAsterisk(accept, channel=f"PJSIP/{CALLED}-00000001", unique_id="1767268800.1")
    await callee.run(host, int(port))
    await asyncio.to_thread(watch.until, "connected")
    await asyncio.sleep(TALK_MS / 1000)
    caller.channel.variables.update(DIALLED)
    caller.channel.hang_up(NORMAL_CLEARING)
    await caller.run(host, int(port), END)
    record = await asyncio.to_thread(watch.until, "ended")
    return Story(
        dialogue=dialogue,
        exchanges=await asyncio.to_thread(watch.exchanges, 3),
        variables=variables,
        phones={},
        life=watch.life,
        record=record,
        pbx_talk_ms=None,
        complaints=[*caller.violations, *callee.violations],
    )
