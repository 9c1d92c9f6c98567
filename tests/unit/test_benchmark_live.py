"""The arithmetic of the scenarios with live calls; what they measure is no business of a test."""

import pytest

from benchmarks.processes import BenchmarkError
from benchmarks.recovery import differences, logged
from benchmarks.state_changes import delays, phone_times

NOON = 1_767_268_800.0


def message(at: str, text: str, way: str = "sent") -> str:
    """One message as SIPp logs it."""
    return f"{'-' * 47} 2026-01-01T12:00:{at}Z\nUDP message {way} [317] bytes:\n\n{text}\n\n\n"


def answer(user: str, status: str = "200 OK", method: str = "INVITE") -> str:
    """An answer of the telephone that was called as a user."""
    return (
        f"SIP/2.0 {status}\nFrom: <sip:1001/sip%3a{user}@127.0.0.1>;tag=a\n"
        f"To: <sip:{user}@127.0.0.1>;tag=1\nCSeq: 24919 {method}\nContent-Length: 0"
    )


def farewell(user: str) -> str:
    """The same telephone hangs up."""
    return (
        "BYE sip:asterisk@127.0.0.1:20000 SIP/2.0\nMax-Forwards: 70\n"
        f"From: <sip:{user}@127.0.0.1>;tag=1\nCSeq: 1 BYE\nContent-Length: 0"
    )


def link(second: int, state: str, name: str = "ari") -> dict[str, str]:
    """A line of the service's log."""
    return {
        "event": "link_state",
        "link": name,
        "state": state,
        "timestamp": f"2026-01-01T12:00:{second:02d}.250000Z",
    }


def test_answers_and_hang_ups_are_found() -> None:
    """Each by the user that was called, at the moment in the log."""
    log = message("01.500000", answer("probe-1")) + message("02.250000", farewell("probe-1"))
    assert phone_times(log) == {"probe-1": {"connected": NOON + 1.5, "ended": NOON + 2.25}}


def test_the_first_of_repeated_messages_counts() -> None:
    """SIP over UDP says everything again that was not acknowledged in time."""
    log = message("01.000000", answer("probe-1")) + message("01.500000", answer("probe-1"))
    assert phone_times(log) == {"probe-1": {"connected": NOON + 1.0}}


def test_telephones_are_told_apart() -> None:
    """Their messages are mixed as they came."""
    log = (
        message("01.000000", answer("probe-1"))
        + message("01.250000", answer("probe-12"))
        + message("02.000000", farewell("probe-12"))
        + message("03.000000", farewell("probe-1"))
    )
    assert phone_times(log) == {
        "probe-1": {"connected": NOON + 1.0, "ended": NOON + 3.0},
        "probe-12": {"connected": NOON + 1.25, "ended": NOON + 2.0},
    }


@pytest.mark.parametrize(
    "entry",
    [
        message("01.000000", answer("probe-1", "180 Ringing")),
        message("01.000000", answer("probe-1", method="OPTIONS")),
        message("01.000000", answer("traffic")),
        message("01.000000", answer("probe-1"), way="received"),
        message("01.000000", farewell("probe-1"), way="received"),
    ],
    ids=["ringing", "another method", "another call", "received answer", "received BYE"],
)
def test_other_messages_are_passed_over(entry: str) -> None:
    """What is no change of a probe's state is no time."""
    assert phone_times(entry) == {}


def test_delays_are_milliseconds() -> None:
    """From what the telephone did until it was seen, by change."""
    done = {"probe-0": {"connected": 10.0, "ended": 11.0}, "other": {"connected": 5.0}}
    seen = {"probe-0": {"connected": 10.25, "ended": 11.5}}
    assert delays(done, seen) == {"connected": [250.0], "ended": [500.0]}


def test_a_change_that_nobody_made_is_no_figure() -> None:
    """Then the log and the API speak of different calls."""
    seen = {"probe-0": {"connected": 10.25, "ended": 11.5}}
    with pytest.raises(BenchmarkError, match="'ended'"):
        delays({"probe-0": {"connected": 10.0}}, seen)
    with pytest.raises(BenchmarkError, match="'probe-0'"):
        delays({}, seen)


def test_nothing_differs() -> None:
    """What is the same, in whatever order, is not named."""
    assert differences({"a": 1, "b": [2]}, {"b": [2], "a": 1}) == []


def test_differences_are_named() -> None:
    """What changed, what went and what came."""
    before, after = {"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": 7, "new": 4}
    assert differences(before, after) == ["b", "gone", "new"]


def test_times_in_a_log() -> None:
    """Of the lines with all that is asked for, in the log's order."""
    log = [
        {"event": "listening", "timestamp": "2026-01-01T12:00:00Z"},
        link(1, "up"),
        link(2, "up", "ami"),
        link(3, "lost"),
        link(4, "connecting"),
        link(5, "up"),
    ]
    assert logged(log, "link_state", link="ari", state="up") == [NOON + 1.25, NOON + 5.25]
    assert logged(log, "link_state", state="connecting") == [NOON + 4.25]
    assert logged(log, "listening") == [NOON]
    assert logged(log, "link_state", state="stopped") == []
