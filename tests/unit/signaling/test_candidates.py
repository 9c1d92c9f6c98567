"""ICE candidates in the spellings of the documented clients, and those that are none."""

import pytest

from fastagi_server.signaling.candidates import Candidate, parse_candidate, read_candidate
from fastagi_server.signaling.errors import InvalidCandidateError

LINE = "candidate:842163049 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 10.0.0.4 rport 46154"
READ = Candidate(LINE, 1, "udp", "203.0.113.9", 46154, "0", 0)


@pytest.mark.parametrize(
    "payload",
    [
        {"candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "qm4E"},
        {"candidate": {"candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0}},
        {"candidate": LINE, "sdp_mid": "0", "sdp_m_line_index": 0},
        {"candidate": {"candidate": LINE, "sdp_mid": "0", "sdp_m_line_index": 0}},
        {"candidate": f"a={LINE}", "sdpMid": "0", "sdpMLineIndex": 0},
    ],
)
def test_all_spellings_say_the_same(payload: object) -> None:
    """The browser's object, the same one nested, and the API's own names."""
    assert read_candidate(payload) == READ


def test_the_medium_may_be_left_out() -> None:
    """Null and absent are the same."""
    assert read_candidate({"candidate": LINE}) == parse_candidate(LINE)
    assert read_candidate({"candidate": LINE, "sdpMid": None, "sdpMLineIndex": None}) == (
        parse_candidate(LINE)
    )


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"candidate": None},
        {"candidate": ""},
        {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0},
        {"candidate": {"candidate": "", "sdpMid": "0"}},
        {"candidate": {}},
    ],
)
def test_the_end_of_candidates_is_none(payload: object) -> None:
    """Browsers say it as null or as an empty line, clients pass on either."""
    assert read_candidate(payload) is None


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("candidate", "payload must be an object with candidate"),
        (7, "payload must be an object with candidate"),
        ([LINE], "payload must be an object with candidate"),
        ({"sdpMid": "0"}, "payload.candidate is missing"),
        ({"candidate": 5}, "payload.candidate must be a string or an object"),
        ({"candidate": [LINE]}, "payload.candidate must be a string or an object"),
        ({"candidate": {"candidate": {"candidate": LINE}}}, "payload.candidate is nested too"),
        ({"candidate": "garbage"}, "Invalid ICE candidate format"),
        ({"candidate": f"{LINE}\r\na=x"}, "Invalid ICE candidate format"),
        ({"candidate": f"{LINE}\n"}, "Invalid ICE candidate format"),
        ({"candidate": f"{LINE}\0"}, "Invalid ICE candidate format"),
        ({"candidate": f"\t{LINE}"}, "Invalid ICE candidate format"),
        ({"candidate": LINE.replace("203", "\u0662\u0660\u0663")}, "Invalid ICE candidate format"),
        ({"candidate": LINE.replace(" 1 ", " \u0661 ")}, "Invalid ICE candidate format"),
        ({"candidate": LINE.replace("46154 typ", "70000 typ")}, "Invalid port in an ICE"),
        ({"candidate": LINE + " x" * 600}, "ICE candidate must have at most 1000 characters"),
        ({"candidate": LINE, "sdpMid": 0}, "sdpMid must be a short string"),
        ({"candidate": LINE, "sdpMid": "x" * 65}, "sdpMid must be a short string"),
        ({"candidate": LINE, "sdpMLineIndex": "0"}, "sdpMLineIndex must be a small whole number"),
        ({"candidate": LINE, "sdpMLineIndex": True}, "sdpMLineIndex must be a small whole number"),
        ({"candidate": LINE, "sdpMLineIndex": -1}, "sdpMLineIndex must be a small whole number"),
        ({"candidate": LINE, "sdpMLineIndex": 256}, "sdpMLineIndex must be a small whole number"),
    ],
)
def test_garbage_is_refused_in_words(payload: object, message: str) -> None:
    """The sender reads what is wrong; nothing of his input is repeated."""
    with pytest.raises(InvalidCandidateError) as refused:
        read_candidate(payload)
    assert str(refused.value).startswith(message)


def test_a_candidate_of_a_relay_keeps_what_follows() -> None:
    """Extensions stay in the line as they came; the transport is compared in lower case."""
    line = "candidate:1 1 UDP 41885695 203.0.113.9 50000 typ relay raddr :: rport 0 generation 0"
    found = parse_candidate(f" {line} ")
    assert (found.line, found.transport, found.mid, found.line_index) == (line, "udp", None, None)
    assert found.usable is True
