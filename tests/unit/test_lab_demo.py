"""The demonstration's judgement and report, on stories that are true or not."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lab.demo import __main__ as demo
from lab.demo.checks import checks, faults
from lab.demo.real import AGI_LINE
from lab.demo.report import WIDTH, report
from lab.demo.story import Exchange, Moment, Said, Story
from lab.demo.watch import CallLostError

CALL_ID = "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11"
CHANNEL = "1767268800.0"
METADATA = {
    "asterisk_call_id": CHANNEL,
    "asterisk_channel_id": CHANNEL,
    "caller_id": "1002",
    "caller_name": "User 1002",
}
CREATED = {"id": CALL_ID, "status": "initiating", "metadata": METADATA}
ACCEPTED = {**CREATED, "status": "connected", "answered_at": "2026-01-01T12:00:01Z"}
ENDED = {
    **ACCEPTED,
    "status": "ended",
    "hangup_cause": 16,
    "dial_status": "ANSWER",
    "ring_ms": 805,
    "answered_ms": 1502,
    "duration_ms": 1502,
}
QUESTION = {"participants": ["SIP/1001"], "call_type": "audio", "metadata": METADATA}

STORY = Story(
    dialogue=[
        Said(0, "Asterisk", "agi_network: yes"),
        Said(0, "Asterisk", f"agi_network_script: register?{'x' * 100}"),
        Said(1, "Asterisk", "agi_callerid: 1002"),
        Said(12, "service", 'SET VARIABLE "SGE_STATUS" "REGISTERED"'),
        Said(12, "Asterisk", "200 result=1"),
        Said(13, "service", f'SET VARIABLE "SGE_CALL_ID" "{CALL_ID}"'),
        Said(14, "Asterisk", "200 result=1"),
        Said(14, "Asterisk", "HANGUP"),
    ],
    exchanges=[
        Exchange("POST /api/v1/voip/calls", f"agi-pbx1-{CHANNEL}", QUESTION, 201, CREATED),
        Exchange(f"POST /api/v1/voip/calls/{CALL_ID}/accept", "", {}, 200, ACCEPTED),
        Exchange(f"POST /api/v1/voip/calls/{CALL_ID}/end", "", {"hangup_cause": 16}, 200, ENDED),
    ],
    variables={
        "AGISTATUS": "SUCCESS",
        "SGE_STATUS": "REGISTERED",
        "SGE_CALL_ID": CALL_ID,
        "SGE_CHANNEL_ID": CHANNEL,
        "SGE_ERROR": "",
        "SGE_ERROR_CODE": "",
    },
    phones={
        "1002": ["> INVITE", "< 200", "> ACK", "> BYE", "< 200"],
        "1001": ["< INVITE", "> 200", "< ACK", "< BYE", "> 200"],
    },
    life=[Moment(20, "initiating"), Moment(830, "connected"), Moment(2340, "ended")],
    record=ENDED,
    pbx_talk_ms=1503,
    complaints=[],
)


def with_variable(name: str, value: str) -> Story:
    """The story with another variable."""
    return replace(STORY, variables={**STORY.variables, name: value})


def with_record(**fields: Any) -> Story:
    """The story with another record at its end."""
    return replace(STORY, record={**ENDED, **fields})


def test_a_call_that_went_well_has_no_fault() -> None:
    """All checks hold, with the PBX's own record and phones or without."""
    assert faults(STORY) == []
    assert faults(replace(STORY, pbx_talk_ms=None, phones={})) == []


@pytest.mark.parametrize(
    ("story", "fault"),
    [
        (with_variable("AGISTATUS", "FAILURE"), "AGISTATUS is SUCCESS"),
        (with_variable("SGE_STATUS", "QUEUED"), "SGE_STATUS is REGISTERED"),
        (with_variable("SGE_CALL_ID", "other"), "SGE_CALL_ID is the id of the record"),
        (with_variable("SGE_CHANNEL_ID", ""), "SGE_CHANNEL_ID is the channel of the record"),
        (with_variable("SGE_ERROR", "Call refused"), "SGE_ERROR is empty"),
        (with_variable("SGE_ERROR_CODE", "api_timeout"), "SGE_ERROR is empty"),
        (replace(STORY, complaints=["WARNING"]), "the PBX has nothing to complain of"),
        (with_record(hangup_cause=17), "the hang-up cause is 16"),
        (with_record(dial_status=None), "the dial status is ANSWER"),
        (with_record(ring_ms=None), "it rang as long as the phone did"),
        (with_record(ring_ms=3), "it rang as long as the phone did"),
        (with_record(metadata={**METADATA, "caller_id": "911"}), "the caller is 1002"),
        (
            replace(STORY, pbx_talk_ms=9000),
            "the PBX's own record has the same talking time",
        ),
        (
            replace(STORY, life=[*STORY.life[:1], *STORY.life[2:]]),
            "the record was initiating, connected, ended",
        ),
        (
            replace(STORY, phones={**STORY.phones, "1001": ["< INVITE", "> 486"]}),
            "phone 1001 was answered and hung up",
        ),
        (
            replace(STORY, exchanges=[replace(STORY.exchanges[0], key="other")]),
            "the idempotency key is system and channel",
        ),
        (
            replace(STORY, exchanges=[STORY.exchanges[0], *STORY.exchanges]),
            "SGE was asked to create, accept and end, once each",
        ),
        (
            replace(STORY, exchanges=[replace(e, status=500) for e in STORY.exchanges]),
            "SGE answered 201, 200, 200",
        ),
    ],
)
def test_each_thing_that_is_not_so_is_named(story: Story, fault: str) -> None:
    """A story with one thing wrong is found out, in the words of its check."""
    assert fault in faults(story)


def test_nothing_that_sge_was_asked_is_a_fault() -> None:
    """A story without a question to SGE is judged, not crashed on."""
    assert faults(replace(STORY, exchanges=[])) == [
        "SGE was asked to create, accept and end, once each",
        "SGE answered 201, 200, 200",
    ]


def test_registering_lasts_to_the_last_variable() -> None:
    """The time is that of the last command, not of what Asterisk says afterwards."""
    assert STORY.registered_ms == 13
    assert replace(STORY, dialogue=[]).registered_ms == 0


def test_the_report_is_for_reading() -> None:
    """No line is too wide; commands stand beside their replies; documents are JSON."""
    lines = list(report(STORY))
    assert max(map(len, lines)) <= WIDTH
    assert "     1  Asterisk agi_callerid: 1002" in lines
    assert f"{'':17}(and 1 lines more)" in lines
    command = next(line for line in lines if "SGE_STATUS" in line)
    assert command.split()[:2] == ["12", "service"]
    assert command.endswith('SET VARIABLE "SGE_STATUS" "REGISTERED"' + " " * 30 + "200 result=1")
    assert f"POST /api/v1/voip/calls   Idempotency-Key: agi-pbx1-{CHANNEL}" in lines
    assert "POST /api/v1/voip/calls/{id}/end" in lines
    assert "   >   {}" in lines
    assert any('"caller_name":"User 1002"' in line for line in lines)
    assert "SGE_ERROR       (empty)" in lines
    assert "1002    > INVITE < 200 > ACK > BYE < 200" in lines
    assert "    1502 ms  talking (1503 in Asterisk's own record)" in lines


def test_without_phones_there_is_no_such_part() -> None:
    """The fake Asterisk's report has neither SIP nor a record of the PBX's own."""
    lines = list(report(replace(STORY, phones={}, pbx_talk_ms=None)))
    assert not any(line.startswith("# SIP") for line in lines)
    assert "    1502 ms  talking" in lines


def test_lines_of_agi_are_found_in_the_log() -> None:
    """With and without channel and call number; other lines are passed over."""
    log = (
        "[2026-01-01 12:00:00.001] VERBOSE[1][C-00000001] res_agi.c: AGI Tx >> agi_network: yes\n"
        "[2026-01-01 12:00:00.002] VERBOSE[1] res_agi.c: <PJSIP/1002-0>AGI Rx << NOOP\n"
        "[2026-01-01 12:00:00.003] VERBOSE[1] pbx.c: Executing AGI Tx >> nothing\n"
    )
    assert AGI_LINE.findall(log) == [
        ("2026-01-01 12:00:00.001", "Tx", "agi_network: yes"),
        ("2026-01-01 12:00:00.002", "Rx", "NOOP"),
    ]


def ignore(_number: int, _handler: object) -> None:
    """Set no handler."""


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the options of the test run alone."""
    monkeypatch.setattr(sys, "argv", ["lab.demo"])
    monkeypatch.setattr(signal, "signal", ignore)


def demonstrating(story: Story | BaseException) -> Mapping[str, Any]:
    """What stands for the call: it gives a story or fails."""

    def demonstrate(*, use_fake: bool) -> Story:
        if isinstance(story, BaseException):
            raise story
        return story

    return {"demonstrate": demonstrate}


@pytest.mark.parametrize(
    ("story", "code", "errors"),
    [
        (STORY, 0, ""),
        (with_record(hangup_cause=17), 1, "demo: not so: the hang-up cause is 16\n"),
        (
            CallLostError("the call was not ended in 20 s"),
            1,
            "demo: the call was not ended in 20 s\n",
        ),
        (KeyboardInterrupt(), 130, "demo: interrupted; everything is stopped again\n"),
    ],
    ids=["well", "fault", "lost", "interrupted"],
)
def test_the_exit_code_says_how_it_went(
    ran: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    story: Story | BaseException,
    code: int,
    errors: str,
) -> None:
    """0 only for a call that stands every check; the reason is an error line."""
    for name, value in demonstrating(story).items():
        monkeypatch.setattr(demo, name, value)
    assert demo.main() == code
    said = capsys.readouterr()
    assert said.err == errors
    assert (f"All {len(list(checks(STORY)))} checks hold" in said.out) == (code == 0)
