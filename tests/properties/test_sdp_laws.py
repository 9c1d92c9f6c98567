"""Laws of descriptions and candidates: prepared or refused, whatever a client sends."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.signaling.candidates import read_candidate
from fastagi_server.signaling.errors import InvalidCandidateError, InvalidSdpError
from fastagi_server.signaling.sdp import check_sdp, prepare_offer

NAUGHTY = st.text(st.sampled_from("=: \r\n\0\x7f\ud800") | st.characters(), max_size=30)
SDP_LINES = st.sampled_from(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "c=IN IP4 0.0.0.0",
        "a=fingerprint:sha-256 5A",
        "a=ice-options:trickle",
        "a=ice-options:trickle ice2",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "m=video 65536 UDP/TLS/RTP/SAVPF 96",
        "i=x",
        "b=AS:30",
        "a=bundle-only",
        "a=candidate:1 1 udp 1 192.0.2.7 40000 typ host",
        "a=candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active",
        "a=candidate:1 1 udp 1 ::1 40000 typ host",
        "a=candidate:garbage",
        "a=end-of-candidates",
    ]
)
DESCRIPTIONS = st.lists(SDP_LINES, max_size=14).map(
    lambda lines: "\r\n".join(["v=0", "a=fingerprint:x", *lines, ""])
) | st.text(max_size=40)


@given(DESCRIPTIONS, st.lists(SDP_LINES | NAUGHTY, max_size=4))
def test_any_description_is_prepared_or_refused(sdp: str, candidates: list[str]) -> None:
    """What is prepared passes the checks and stays as it is when prepared again."""
    try:
        prepared = prepare_offer(sdp, candidates)
    except InvalidSdpError:
        return
    check_sdp(prepared)
    assert prepare_offer(prepared, []) == prepared
    for medium in prepared.split("\r\nm=")[1:]:
        if medium.split(" ")[1] != "0":
            assert "c=IN IP4 0.0.0.0" not in medium
            assert "\r\na=candidate:" in medium


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAUGHTY,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["candidate", "sdpMid", "sdp_mid", "sdpMLineIndex", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_payload_is_a_candidate_or_refused(payload: object) -> None:
    """Whatever JSON a client sends."""
    with suppress(InvalidCandidateError):
        found = read_candidate(payload)
        assert found is None or found.line.startswith("candidate:")
