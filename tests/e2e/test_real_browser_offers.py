"""Offers of a real Chromium, prepared, and what a real Asterisk answers; without a browser."""

import socket
from pathlib import Path
from uuid import uuid4

import pytest

from fastagi_server.signaling.sdp import prepare_offer
from fastagi_server.sip.addresses import NameAddress, Uri
from fastagi_server.sip.fields import CSeq, Via
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.headers import Field, Headers
from fastagi_server.sip.messages import Request, Response
from lab.asterisk import Asterisk

pytestmark = pytest.mark.asterisk

OFFERS = Path(__file__).parents[1] / "unit/signaling/offers"
SECONDS = 10.0
DIRECTIONS = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")
OPUS_AND_ULAW = "111 0 110 126"
VP8_AND_H264 = "96 102"


class Call:
    """One dialog with extension 600, which echoes, on a connection of its own."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        self._socket = socket.create_connection(("127.0.0.1", asterisk.ports.sip), SECONDS)
        self._reader = MessageReader()
        self._id = str(uuid4())
        host, port = self._socket.getsockname()
        self._own = Uri("ann", host, port)
        self._to = NameAddress(f"sip:600@{host}")

    def ask(self, offer: str) -> Response:
        """The final answer to an INVITE with this offer; the call is hung up again."""
        uri = str(Uri("600", "127.0.0.1", self._asterisk.ports.sip))
        self._send("INVITE", uri, 1, offer.encode(), ("Content-Type", "application/sdp"))
        answer = self._final()
        self._to = NameAddress.parse(answer.headers.get("To") or "")
        contact = NameAddress.parse(answer.headers.get("Contact") or "").uri
        self._send("ACK", contact, 1)
        self._send("BYE", contact, 2)
        assert self._final().status == 200
        self._socket.close()
        return answer

    def _send(self, method: str, uri: str, number: int, body: bytes = b"", *more: Field) -> None:
        hop = Via("TCP", f"{self._own.host}:{self._own.port}")
        headers = Headers(
            [
                ("Via", f"{hop};branch=z9hG4bK{uuid4().hex}"),
                ("Max-Forwards", "70"),
                ("From", str(NameAddress(str(self._own), 'Ann "A"').tagged("1"))),
                ("To", str(self._to)),
                ("Call-ID", self._id),
                ("CSeq", str(CSeq(number, method))),
                ("Contact", f"<{self._own};transport=tcp>"),
                ("X-SGE-Gateway", self._asterisk.passwords["gateway"]),
                *more,
            ]
        )
        self._socket.sendall(Request(method, uri, headers, body).serialize())

    def _final(self) -> Response:
        while data := self._socket.recv(65_536):
            for message in self._reader.receive(data):
                if isinstance(message, Response) and message.status >= 200:
                    return message
        raise AssertionError("Asterisk closed the connection")


def media(answer: str) -> list[str]:
    """What the answer says of each medium: its kind, codecs and direction, and if ICE is done."""
    told: list[str] = []
    for section in answer.split("\r\nm=")[1:]:
        kind, port, _, codecs = section.partition("\r\n")[0].split(" ", 3)
        lines = section.split("\r\n")
        direction = next((line for line in lines if line in DIRECTIONS), "")
        ice = "ICE" if any(line.startswith("a=ice-ufrag:") for line in lines) else ""
        told.append(f"{kind} {codecs} {direction} {ice}" if port != "0" else f"{kind} declined")
    return told


AUDIO = f"audio {OPUS_AND_ULAW} a=sendrecv ICE"
VIDEO = f"video {VP8_AND_H264} a=sendrecv ICE"
SEEN_ONLY = f"video {VP8_AND_H264} a=sendonly ICE"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("audio", [AUDIO]),
        ("audio-trickle", [AUDIO]),
        ("hidden-addresses", [AUDIO]),
        ("video", [AUDIO, VIDEO]),
        ("video-trickle", [AUDIO, VIDEO]),
        ("screen", [AUDIO, VIDEO, VIDEO]),
        ("data-channel", [AUDIO, VIDEO, "application declined"]),
        ("renegotiated", [AUDIO, SEEN_ONLY, "application declined", VIDEO]),
    ],
)
def test_a_prepared_offer_is_answered_both_ways_and_with_ice(
    asterisk: Asterisk, name: str, told: list[str]
) -> None:
    """Whatever the browser knew of its addresses when it was asked to call."""
    answer = Call(asterisk).ask(prepare_offer((OFFERS / f"{name}.sdp").read_text(), []))
    assert (answer.status, media(answer.body.decode())) == (200, told)
    assert "\r\na=candidate:" in answer.body.decode()
    assert asterisk.wait_idle()


def test_an_offer_that_is_not_prepared_is_silent(asterisk: Asterisk) -> None:
    """Why it must be: the very offer is taken for a call on hold, and ICE is not done."""
    offer = (OFFERS / "audio-trickle.sdp").read_text().replace("\n", "\r\n")
    answer = Call(asterisk).ask(offer)
    assert media(answer.body.decode()) == [f"audio {OPUS_AND_ULAW} a=recvonly "]
    assert asterisk.wait_idle()


def test_ipv6_alone_and_a_port_that_is_only_shared(asterisk: Asterisk) -> None:
    """Two things that this Chromium does not offer by itself and others do."""
    offer = (OFFERS / "video.sdp").read_text()
    first, second = offer.split("m=video 9 ")
    kept = [line for line in first.split("\n") if "candidate:" not in line or "2001:db8" in line]
    shared = "\n".join(kept) + "m=video 0 " + second + "a=bundle-only\n"
    prepared = prepare_offer(shared, [])
    assert "\r\nc=IN IP6 2001:db8::5\r\n" in prepared
    assert media(Call(asterisk).ask(prepared).body.decode()) == [AUDIO, VIDEO]
    assert asterisk.wait_idle()
