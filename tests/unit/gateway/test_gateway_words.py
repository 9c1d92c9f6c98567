"""Numbers, reasons, and how long a description waits for a candidate."""

import asyncio
from datetime import UTC, datetime

import pytest
from gateway_stage import CANDIDATE, SDP, WITHOUT_CANDIDATE
from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.calls.models import EndedBy, EndFacts
from fastagi_server.gateway.candidates import Candidates
from fastagi_server.gateway.numbers import number_of
from fastagi_server.gateway.reasons import Ending, Reason, of_end, of_refusal
from fastagi_server.signaling.errors import InvalidSdpError

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("participant", "number"),
    [
        ("SIP/1001", "1001"),
        ("PJSIP/+49301234@trunk", "+49301234"),
        ("PJSIP/desk-1", "desk-1"),
        ("bob", "bob"),
        ("bob@example.org", "bobexample.org"),
        ("PJSIP/a[b]:c;d=e%f", "abcdef"),
        ("SIP/~", "unknown"),
    ],
)
def test_numbers(participant: str, number: str) -> None:
    """The first participant's, without its trunk and without what could mean anything."""
    assert number_of((participant, "SIP/1002")) == number


@given(st.text(min_size=1, max_size=300))
def test_any_number(participant: str) -> None:
    """It is never empty, never long, and has plain characters only."""
    number = number_of((participant,))
    assert 1 <= len(number) <= 80
    assert number.isascii()
    assert not set(number) & set('@:;<>" \r\n\0,${}&')


@given(st.integers(300, 699), st.none() | st.integers(0, 127))
def test_every_refusal_has_a_word(status: int, cause: int | None) -> None:
    """A page never has to show a number."""
    assert of_refusal(status, cause) in Reason


def test_the_cause_goes_before_the_status() -> None:
    """Asterisk's 480 is many things."""
    assert of_refusal(480, 17) is Reason.BUSY
    assert of_refusal(480, None) is Reason.UNREACHABLE
    assert of_refusal(486, 127) is Reason.BUSY


def test_ends() -> None:
    """A leg of which Asterisk knows nothing is lost, whether it was up or not."""
    assert of_end(None, 16, was_up=True) is Reason.ENDED
    assert of_end(481, None, was_up=True) is Reason.GATEWAY_LOST
    assert of_end(503, None, was_up=False) is Reason.GATEWAY_LOST


@pytest.mark.parametrize(
    ("ending", "facts"),
    [
        (
            Ending(Reason.ENDED, cause=16, was_up=True, by_user=True, is_caller=False),
            EndFacts(16, "ANSWER", ended_at=NOON, ended_by=EndedBy.CALLEE),
        ),
        (
            Ending(Reason.ENDED, was_up=True),
            EndFacts(16, "ANSWER", ended_at=NOON, ended_by=EndedBy.PBX),
        ),
        (
            Ending(Reason.REFUSED, by_user=True, is_caller=False),
            EndFacts(21, "CHANUNAVAIL", ended_at=NOON, ended_by=EndedBy.CALLEE),
        ),
        (
            Ending(Reason.NO_ANSWER, 408),
            EndFacts(19, "NOANSWER", ended_at=NOON, ended_by=EndedBy.PBX),
        ),
        (Ending(Reason.GATEWAY_LOST, 503), EndFacts(ended_at=NOON, reason="lost")),
    ],
)
def test_what_is_noted_of_an_end(ending: Ending, facts: EndFacts) -> None:
    """Cause and dial status as Asterisk would have them, and who did it."""
    assert ending.facts(NOON) == facts


async def test_a_description_waits_so_long() -> None:
    """Then it goes with a place that stands for none."""
    sent: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    Candidates(wait_seconds=0.01).hold(WITHOUT_CANDIDATE, sent.set_result)
    async with asyncio.timeout(5):
        assert "c=IN IP4 192.0.2.1" in await sent


async def test_a_description_with_a_candidate_waits_for_nothing() -> None:
    """What the browser knows already is enough."""
    sent: list[str] = []
    Candidates().hold(SDP, sent.append)
    assert "m=audio 40000 " in sent[0]


async def test_a_candidate_that_makes_a_description_too_long() -> None:
    """The description goes without it: Asterisk learns from checks where the browser is."""
    sent: list[str] = []
    candidates = Candidates()
    long = f"{WITHOUT_CANDIDATE}a={'x' * 47_690}\r\n"
    candidates.hold(long, sent.append)
    candidates.add(f"{CANDIDATE} ufrag {'y' * 120}")
    assert "c=IN IP4 192.0.2.1" in sent[0]


async def test_candidates_are_remembered() -> None:
    """A later description of the same browser does not wait again."""
    sent: list[str] = []
    candidates = Candidates()
    for _ in range(40):
        candidates.add(CANDIDATE)
    candidates.hold(WITHOUT_CANDIDATE, sent.append)
    assert sent[0].count("a=candidate:") == 1


async def test_the_last_description_counts() -> None:
    """One that still waited is not sent after it; nor is any after the end."""
    sent: list[str] = []
    candidates = Candidates()
    candidates.hold(WITHOUT_CANDIDATE, lambda _: sent.append("first"))
    candidates.hold(WITHOUT_CANDIDATE, lambda _: sent.append("second"))
    candidates.release()
    candidates.release()
    assert sent == ["second"]
    candidates.hold(WITHOUT_CANDIDATE, lambda _: sent.append("third"))
    candidates.close()
    candidates.release()
    assert sent == ["second"]


async def test_a_description_that_is_none() -> None:
    """It is refused at once, and what waited before it still waits."""
    sent: list[str] = []
    candidates = Candidates()
    candidates.hold(WITHOUT_CANDIDATE, sent.append)
    with pytest.raises(InvalidSdpError):
        candidates.hold("v=0", sent.append)
    candidates.release()
    assert len(sent) == 1
