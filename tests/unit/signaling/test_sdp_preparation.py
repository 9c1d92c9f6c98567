"""Offers of a real Chromium 156 as Asterisk gets them; the files in `offers/` are its own words."""

import re
from pathlib import Path

import pytest

from fastagi_server.signaling.errors import InvalidSdpError
from fastagi_server.signaling.sdp import (
    MAX_CHARACTERS,
    check_sdp,
    has_usable_candidate,
    prepare_offer,
    usable_candidate,
)

OFFERS = Path(__file__).parent / "offers"
NAMES = sorted(path.stem for path in OFFERS.glob("*.sdp"))
LATE = (
    "candidate:2117215681 1 udp 2122260223 198.51.100.7 54321 typ host generation 0 ufrag qm4E"
    " network-id 1"
)
PLACEHOLDER = "a=candidate:0 1 udp 1 192.0.2.1 9 typ host"
SMALL = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 5A:5A\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n"
)


def offer(name: str) -> str:
    """One of Chromium's offers, with the line ends that it writes."""
    return (OFFERS / f"{name}.sdp").read_text().replace("\n", "\r\n")


def lines(sdp: str, pattern: str) -> list[str]:
    """The lines of a description that match from their first character."""
    return [line for line in sdp.split("\r\n") if re.match(pattern, line)]


@pytest.mark.parametrize("name", NAMES)
def test_every_offer_of_chromium_passes(name: str) -> None:
    """Audio, video, a screen, data, answers too; addresses given, hidden or not yet known."""
    check_sdp(offer(name))


@pytest.mark.parametrize("name", NAMES)
def test_no_offered_medium_is_on_hold_or_without_a_candidate(name: str) -> None:
    """Asterisk would answer recvonly to 0.0.0.0, and without ICE where nothing can be reached."""
    prepared = prepare_offer(offer(name), [])
    assert prepared.endswith("a=end-of-candidates\r\n")
    assert not lines(prepared, r"c=IN IP4 0\.0\.0\.0|a=ice-options|a=rtcp:|a=bundle-only|m=\w+ 0 ")
    assert not lines(prepared, r"a=candidate:.*( tcp | TCP |\.local )")
    for medium in prepared.split("\r\nm=")[1:]:
        assert "\r\na=candidate:" in medium
        assert medium.count("a=end-of-candidates") == 1


@pytest.mark.parametrize("name", NAMES)
def test_all_other_lines_stay_as_they_are(name: str) -> None:
    """Codecs, keys, ids and their order are the browser's own."""
    rewritten = r"(?!m=|c=|a=candidate|a=end-of|a=ice-options|a=rtcp:)"
    before, after = offer(name), prepare_offer(offer(name), [])
    assert lines(before, rewritten) == lines(after, rewritten)


@pytest.mark.parametrize("name", NAMES)
def test_preparing_twice_changes_nothing_more(name: str) -> None:
    """What is prepared needs no preparation."""
    once = prepare_offer(offer(name), [LATE])
    assert prepare_offer(once, []) == once


def test_an_offer_that_knows_no_address_gets_a_placeholder() -> None:
    """Asterisk does ICE then, and learns where the browser is from its first check."""
    prepared = prepare_offer(offer("audio-trickle"), [])
    assert lines(prepared, "m=|c=|a=candidate") == [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 192.0.2.1",
        PLACEHOLDER,
    ]


def test_a_late_candidate_takes_the_place_of_the_placeholder() -> None:
    """With its address in c= and its port in m=, for every medium, since they share one port."""
    prepared = prepare_offer(offer("video-trickle"), [LATE])
    shared = ["c=IN IP4 198.51.100.7", f"a={LATE}"]
    codecs = "96 97 102 103 104 107 108 109 114 115 116 117 39 40 45 46 98 99 100 101 118 119 120"
    assert lines(prepared, "m=|c=|a=candidate") == [
        "m=audio 54321 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        *shared,
        f"m=video 54321 UDP/TLS/RTP/SAVPF {codecs}",
        *shared,
    ]


def test_candidates_of_the_offer_are_kept_but_for_tcp() -> None:
    """Of both families; c= has one of IPv4, which every Asterisk speaks."""
    (address,) = lines(prepare_offer(offer("audio"), []), "c=")
    assert address == "c=IN IP4 127.0.0.1"
    kept = [line.split(" ")[4] for line in lines(prepare_offer(offer("audio"), []), "a=candidate")]
    assert kept == ["127.0.0.1", "198.18.0.7", "::1", "2001:db8::5"]


def test_names_that_hide_an_address_are_dropped() -> None:
    """Asterisk does not look up `.local` names; the placeholder stands in."""
    assert ".local" in offer("hidden-addresses")
    assert lines(prepare_offer(offer("hidden-addresses"), []), "a=candidate") == [PLACEHOLDER]
    assert has_usable_candidate(offer("hidden-addresses")) is False


def test_ipv6_alone_is_written_as_ipv6() -> None:
    """A browser in a network without IPv4."""
    late = "candidate:1 1 UDP 2122260223 2001:db8::5 50000 typ host"
    prepared = prepare_offer(SMALL, [late])
    assert lines(prepared, "m=|c=") == [
        "m=audio 50000 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP6 2001:db8::5",
    ]


def test_a_place_is_written_once() -> None:
    """The same candidate in the offer and in a message, with and without its ufrag."""
    given = SMALL + "a=candidate:1 1 udp 5 198.51.100.7 54321 typ host\r\n"
    assert lines(prepare_offer(given, [LATE, LATE]), "a=candidate") == [
        "a=candidate:1 1 udp 5 198.51.100.7 54321 typ host"
    ]


def test_candidates_have_a_limit() -> None:
    """Asterisk gives up on ICE with more than it has places for."""
    many = [f"candidate:1 1 udp 5 198.51.100.7 {port} typ host" for port in range(1000, 1100)]
    kept = lines(prepare_offer(SMALL, many), "a=candidate")
    assert len(kept) == 32
    assert kept[-1] == "a=candidate:1 1 udp 5 198.51.100.7 1031 typ host"


def test_a_declined_medium_stays_declined() -> None:
    """Port 0 says no; it gets neither an address nor candidates."""
    prepared = prepare_offer(SMALL + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=inactive\r\n", [LATE])
    assert prepared.endswith(
        "a=end-of-candidates\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\na=inactive\r\n"
    )


def test_a_first_medium_that_is_declined_is_passed_over() -> None:
    """Late candidates belong to the first medium that lives."""
    small = SMALL.replace("m=audio", "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nm=audio")
    prepared = prepare_offer(small, [LATE])
    assert lines(prepared, "m=|a=candidate") == [
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "m=audio 54321 UDP/TLS/RTP/SAVPF 111",
        f"a={LATE}",
    ]


def test_a_medium_that_only_shares_a_port_is_not_declined() -> None:
    """`bundle-only` has port 0 by itself (RFC 9143, 6), which Asterisk reads as a no."""
    prepared = prepare_offer(
        SMALL + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=sendrecv\r\n", [LATE]
    )
    assert lines(prepared, "m=") == [
        "m=audio 54321 UDP/TLS/RTP/SAVPF 111",
        "m=video 54321 UDP/TLS/RTP/SAVPF 96",
    ]


def test_nothing_but_declined_media_is_handed_on() -> None:
    """An offer that takes everything back has no address to give."""
    none = SMALL.replace("m=audio 9", "m=audio 0")
    assert prepare_offer(none, []) == none


def test_the_address_of_the_session_is_no_hold_either() -> None:
    """It counts for every medium without its own, and each has its own afterwards."""
    small = SMALL.replace("c=IN IP4 0.0.0.0\r\n", "").replace("t=0 0", "c=IN IP4 0.0.0.0\r\nt=0 0")
    prepared = prepare_offer(small, [LATE])
    assert prepared == (
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
        "a=fingerprint:sha-256 5A:5A\r\nm=audio 54321 UDP/TLS/RTP/SAVPF 111\r\n"
        f"c=IN IP4 198.51.100.7\r\na=sendrecv\r\na={LATE}\r\na=end-of-candidates\r\n"
    )


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("trickle", []),
        ("trickle renomination", ["a=ice-options:renomination"]),
        ("ice2 trickle", ["a=ice-options:ice2"]),
        ("ice2", ["a=ice-options:ice2"]),
    ],
)
def test_only_trickle_is_taken_from_the_options(options: str, left: list[str]) -> None:
    """For the session (Firefox) as for a medium (Chromium)."""
    line = f"a=ice-options:{options}\r\n"
    prepared = prepare_offer(SMALL.replace("m=audio", f"{line}m=audio") + line, [])
    assert lines(prepared, "a=ice-options") == left * 2


def test_lines_that_end_with_a_line_feed_alone_are_read() -> None:
    """Clients that edit a description write such; Asterisk gets CR LF."""
    assert prepare_offer(SMALL.replace("\r\n", "\n"), []) == prepare_offer(SMALL, [])
    assert prepare_offer(SMALL.rstrip("\r\n"), []) == prepare_offer(SMALL, [])


@pytest.mark.parametrize(
    ("sdp", "message"),
    [
        ("", "SDP must begin with v=0"),
        ("hello", "SDP must begin with v=0"),
        ("v=0x\r\n", "SDP must begin with v=0"),
        (" " + SMALL, "SDP must begin with v=0"),
        ("\r\n" + SMALL, "SDP must begin with v=0"),
        ("v=0\r\ns=-\r\na=fingerprint:x\r\n", "SDP must have 1 to 32 media"),
        (SMALL + "m=audio 9 RTP 0\r\n" * 32, "SDP must have 1 to 32 media"),
        (SMALL.replace("a=fingerprint", "a=footprint"), "SDP has no fingerprint"),
        (
            SMALL + "a=x\rm=audio 9 RTP 0\r\n",
            "SDP holds a control character or half a line end",
        ),
        (SMALL + "a=\0\r\n", "SDP holds a control character or half a line end"),
        (SMALL + "a=\ud800\r\n", "SDP holds a control character or half a line end"),
        (SMALL + "\r\na=x\r\n", "SDP has a line that is not of the form x=value"),
        (
            SMALL + "X-SGE-User: admin\r\n",
            "SDP has a line that is not of the form x=value",
        ),
        (SMALL + "m=\r\n", "SDP has an m= line that cannot be read"),
        (SMALL + "m=audio -1 RTP/AVP 0\r\n", "SDP has an m= line that cannot be read"),
        (SMALL + "m=audio 70000 RTP/AVP 0\r\n", "SDP has an m= line that cannot be read"),
        (SMALL + "m=audio 9 RTP/AVP\r\n", "SDP has an m= line that cannot be read"),
        (SMALL + "a=x\r\n" * 2000, "SDP must have at most 2000 lines"),
        (SMALL + "a=" + "x" * 65_536, "SDP must have at most 65536 characters"),
    ],
)
def test_what_is_no_description_is_refused_in_words(sdp: str, message: str) -> None:
    """The sender reads what is wrong; nothing of his input is repeated."""
    with pytest.raises(InvalidSdpError) as refused:
        check_sdp(sdp)
    assert str(refused.value) == message
    with pytest.raises(InvalidSdpError):
        prepare_offer(sdp, [])


@pytest.mark.parametrize(
    "piece", ["a", "\r\n", "\n", "m=audio 9 RTP 0\r\n", "a=candidate:", " ", "m=a 9 A" + " b"]
)
def test_ten_megabytes_are_refused_without_being_read(piece: str) -> None:
    """The length is looked at before anything else; another order would run into the time-out."""
    huge = "v=0\r\n" + piece * (10_000_000 // len(piece))
    with pytest.raises(InvalidSdpError):
        check_sdp(huge)


@pytest.mark.parametrize("piece", ["a=candidate:1 1 udp 1 ", "a=x\r\n", "a=candidate:1\r\n", " "])
def test_the_longest_description_allowed_is_quick(piece: str) -> None:
    """No pattern goes over the text more than a few times; others would run into the time-out."""
    long = (SMALL + piece * MAX_CHARACTERS)[:MAX_CHARACTERS]
    assert [has_usable_candidate(long) for _ in range(20)] == [False] * 20


@pytest.mark.parametrize(
    ("line", "usable"),
    [
        (LATE, True),
        (f"a={LATE}", True),
        ("candidate:1 1 UDP 1 2001:db8::1 5 typ srflx raddr 0.0.0.0 rport 0", True),
        ("candidate:1 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active", False),
        ("candidate:1 2 udp 1 198.51.100.7 5 typ host", False),
        ("candidate:1 1 udp 1 1b633953-d15e-4f05.local 5 typ host", False),
        ("candidate:1 1 udp 1 host.example.org 5 typ host", False),
        ("candidate:1 1 udp 1 0.0.0.0 5 typ host", False),
        ("candidate:1 1 udp 1 :: 5 typ host", False),
        ("candidate:1 1 udp 1 198.51.100.7 0 typ host", False),
        ("candidate:1 1 udp 1 198.51.100.7 70000 typ host", False),
        ("garbage", False),
        ("", False),
    ],
)
def test_usable_is_what_asterisk_can_send_to(line: str, usable: bool) -> None:  # noqa: FBT001 - a case
    """UDP, an address and a port; what cannot be read is not usable either."""
    assert usable_candidate(line) is usable
    assert has_usable_candidate(f"{SMALL}a={line.removeprefix('a=')}\r\n") is usable


def test_a_long_candidate_is_not_written_in() -> None:
    """What is written into every medium would multiply."""
    long = f"candidate:1 1 udp 1 198.51.100.7 5 typ host x {'y' * 211}"
    assert len(long) == 257
    assert not usable_candidate(long)
    assert usable_candidate(long[:-1])
    prepared = prepare_offer(f"{SMALL}a={long}\r\n", [long])
    assert lines(prepared, "a=candidate") == [PLACEHOLDER]


def test_a_description_that_grows_too_long() -> None:
    """Asterisk would take what is beyond its limit for a message of its own."""
    media = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 31
    many = [f"candidate:1 1 udp 1 198.51.100.7 {port} typ host" for port in range(1, 33)]
    assert len(prepare_offer(SMALL + media, many[:20]).encode()) <= 48_000
    with pytest.raises(InvalidSdpError):
        prepare_offer(SMALL + media, many)


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
def test_the_limit_is_one_of_bytes(letter: str) -> None:
    """Of UTF-8, as they are sent."""
    room = 48_000 - len(prepare_offer(f"{SMALL}a=\r\n", []).encode())
    letters = letter * (room // len(letter.encode()))
    assert len(prepare_offer(f"{SMALL}a={letters}\r\n", []).encode()) <= 48_000
    with pytest.raises(InvalidSdpError):
        prepare_offer(f"{SMALL}a={letters}{letter}\r\n", [])
