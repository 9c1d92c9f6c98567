"""What payloads are taken."""

from typing import Any

import pytest
from exchange_stage import ANSWER, CANDIDATE, OFFER, SDP

from fastagi_server.signaling.errors import (
    InvalidCandidateError,
    InvalidPayloadError,
    InvalidSdpError,
)
from fastagi_server.signaling.models import SignalKind
from fastagi_server.signaling.payloads import check_payload, description_of, size_of


@pytest.mark.parametrize(
    ("kind", "payload", "size"),
    [
        (SignalKind.HANGUP, {}, 2),
        (SignalKind.MUTE, None, 4),
        (SignalKind.UNMUTE, {"why": "ü"}, 12),
        (SignalKind.ICE_CANDIDATE, None, 4),
        (SignalKind.ICE_CANDIDATE, {"candidate": ""}, 16),
        (SignalKind.HANGUP, "x" * 4094, 4096),
    ],
)
def test_sizes(kind: SignalKind, payload: object, size: int) -> None:
    """What is taken is measured in bytes of JSON."""
    assert check_payload(kind, payload) == size


@pytest.mark.parametrize(
    "payload",
    [
        {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "h2vq"},
        {"candidate": {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}},
        {"candidate": CANDIDATE, "sdp_mid": "0", "sdp_m_line_index": 0},
    ],
)
def test_three_spellings(payload: dict[str, Any]) -> None:
    """A candidate is read as the browser has it, nested, and in the API's own words."""
    assert check_payload(SignalKind.ICE_CANDIDATE, payload) > 60


def test_descriptions() -> None:
    """An offer and an answer have an SDP; what else they have is not looked at."""
    assert check_payload(SignalKind.OFFER, OFFER | {"tracks": {"0": "screen"}}) > len(SDP)
    assert check_payload(SignalKind.ANSWER, ANSWER) > len(SDP)
    assert check_payload(SignalKind.ANSWER, {"sdp": SDP}) > len(SDP)
    assert description_of(SignalKind.OFFER, OFFER) == SDP


@pytest.mark.parametrize(
    ("kind", "payload", "refusal"),
    [
        (SignalKind.OFFER, SDP, "payload must be an object with sdp and type"),
        (SignalKind.OFFER, None, "payload must be an object with sdp and type"),
        (SignalKind.OFFER, ANSWER, "payload.type must be offer"),
        (SignalKind.ANSWER, {"sdp": SDP, "type": 1}, "payload.type must be answer"),
        (SignalKind.OFFER, {"sdp": SDP, "x": "x" * 65_536}, "at most 65536 bytes"),
        (SignalKind.ICE_CANDIDATE, {"candidate": CANDIDATE, "x": "x" * 4096}, "at most 4096 bytes"),
        (SignalKind.HANGUP, "x" * 4095, "at most 4096 bytes"),
        (SignalKind.HANGUP, 2**64, "cannot be passed on as JSON"),
        (SignalKind.HANGUP, "\ud800", "cannot be passed on as JSON"),
    ],
)
def test_refusals(kind: SignalKind, payload: object, refusal: str) -> None:
    """What is too large, no JSON or not of its type is refused in words."""
    with pytest.raises(InvalidPayloadError, match=refusal):
        check_payload(kind, payload)


@pytest.mark.parametrize(
    "payload", [{}, {"sdp": None}, {"sdp": ""}, {"sdp": "hello"}, {"sdp": "v=0\r\n"}]
)
def test_descriptions_that_are_none(payload: dict[str, Any]) -> None:
    """An offer without a usable SDP is refused as that."""
    with pytest.raises(InvalidSdpError):
        check_payload(SignalKind.OFFER, payload)


@pytest.mark.parametrize("payload", [7, "candidate:1", {"candidate": "garbage"}, ["candidate"]])
def test_candidates_that_are_none(payload: object) -> None:
    """A candidate that cannot be read is refused as that."""
    with pytest.raises(InvalidCandidateError):
        check_payload(SignalKind.ICE_CANDIDATE, payload)


def test_nested_too_deeply() -> None:
    """A payload of thousands of brackets is refused, and harms nobody."""
    payload: list[Any] = []
    for _ in range(2000):
        payload = [payload]
    with pytest.raises(InvalidPayloadError):
        size_of(payload)
