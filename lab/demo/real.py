"""The call with the lab's Asterisk and two SIP phones."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from lab.asterisk import Asterisk
from lab.demo.story import CALLED, CALLER, RING_MS, TALK_MS, VARIABLES, Said, Story
from lab.demo.watch import SETTINGS, CallLostError, Watch
from lab.details import wait_for_detail
from lab.phones import Phone
from lab.root import Root
from lab.service import Service

# [2026-01-01 12:00:00.123] VERBOSE[1234][C-00000001] res_agi.c: <PJSIP/1002-0>AGI Tx >> agi_type: x
AGI_LINE = re.compile(
    r"^\[([^\]]+)\] VERBOSE\S+ res_agi\.c: (?:<[^>]+>)?AGI (Tx|Rx) (?:>>|<<) (.*)$", re.MULTILINE
)
FIRST_LINE = "agi_network: yes"

Say = Callable[[str, str], object]


def place(root: Root, say: Say) -> Story:
    """Place the call and return what everybody saw; raises LabError when it does not work."""
    with (
        Service.start(SETTINGS) as service,
        Asterisk.start(variables={"SGE_AGI": service.agi}, root=root) as asterisk,
    ):
        version = asterisk.cli("core show version").split()[1].partition("+")[0]
        say("Asterisk", f"{version} with the files of dialplan/, SIP on port {asterisk.ports.sip}")
        say("service", f"{service.agi}, with its SGE API on {service.api} and SQLite")
        asterisk.cli("agi set debug on")
        with Phone.answering(asterisk, CALLED, ring_ms=RING_MS) as callee:
            say("phones", f"{CALLER} calls {CALLED} (SIPp): rings {RING_MS} ms, talks {TALK_MS} ms")
            return _watch_call(asterisk, service, callee)


def _watch_call(asterisk: Asterisk, service: Service, callee: Phone) -> Story:
    watch = Watch(service)
    with Phone.calling(asterisk, CALLER, CALLED, hang_up_after_ms=TALK_MS) as caller:
        channel = watch.until("connected")["metadata"]["asterisk_channel_id"]
        read = asterisk.control.variable
        variables = {name: read(channel, name) for name in VARIABLES}
        for phone in (caller, callee):
            if not phone.wait():
                raise CallLostError(f"phone {phone.user} failed:\n{phone.explain()}")
        record = watch.until("ended")
        return Story(
            dialogue=list(_first_session(asterisk.log())),
            exchanges=watch.exchanges(3),
            variables=variables,
            phones={phone.user: phone.conversation() for phone in (caller, callee)},
            life=watch.life,
            record=record,
            pbx_talk_ms=wait_for_detail(asterisk, channel).talk_ms,
            complaints=asterisk.complaints(),
        )


def _first_session(log: str) -> Iterator[Said]:
    """The lines of the first AGI session in Asterisk's log."""
    began: datetime | None = None
    for stamp, direction, text in AGI_LINE.findall(log):
        at = datetime.fromisoformat(stamp)
        if text == FIRST_LINE:
            if began is not None:
                return
            began = at
        if began is not None:
            ms = (at - began).total_seconds() * 1000
            yield Said(ms, "Asterisk" if direction == "Tx" else "service", text)
