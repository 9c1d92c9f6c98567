"""One INVITE over TCP as a gateway for browsers sends it, without the gateway."""

import re
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

from lab.asterisk import Asterisk

ANSWER_SECONDS = 10.0

# What a browser offers for audio alone, with one address that it can be reached at.
OFFER = "".join(
    f"{line}\r\n"
    for line in (
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111 0 126",
        "c=IN IP4 127.0.0.1",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2122260223 127.0.0.1 40000 typ host generation 0",
        "a=ice-ufrag:rJeF",
        "a=ice-pwd:3nIVdVr2cTe1vC1vV7cTzUqg",
        "a=fingerprint:sha-256 " + ":".join(["5A"] * 32),
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:126 telephone-event/8000",
    )
)


@dataclass
class GatewayCaller:
    """One dialog with Asterisk's TCP transport. Every wait ends after 10 s.

    `headers` come first in the INVITE; `name` is the user in From.
    """

    asterisk: Asterisk
    number: str
    headers: tuple[str, ...] = ()
    name: str = "alice"
    call_id: str = field(default_factory=lambda: str(uuid4()))
    to_tag: str = ""

    def __enter__(self) -> Self:
        address = ("127.0.0.1", self.asterisk.ports.sip)
        self._socket = socket.create_connection(address, ANSWER_SECONDS)
        self._received = b""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def invite(self) -> tuple[int, str]:
        """Send the offer and return the final status and the body that came with it."""
        self._send("INVITE", 1, (*self.headers, "Content-Type: application/sdp"), OFFER)
        while True:
            head, body = self._read()
            status = int(head.split(" ", 2)[1])
            if status >= 200:
                self.to_tag = re.findall(r"^To: .*?(;tag=\S+)", head, re.MULTILINE)[0]
                self._send("ACK", 1)
                return status, body

    def bye(self) -> int:
        """End the call and return the status of the answer."""
        self._send("BYE", 2)
        return int(self._read()[0].split(" ", 2)[1])

    def _send(
        self, method: str, number: int, headers: tuple[str, ...] = (), body: str = ""
    ) -> None:
        own = "{}:{}".format(*self._socket.getsockname())
        server = f"127.0.0.1:{self.asterisk.ports.sip}"
        lines = (
            f"{method} sip:{self.number}@{server} SIP/2.0",
            f"Via: SIP/2.0/TCP {own};branch=z9hG4bK{uuid4().hex}",
            "Max-Forwards: 70",
            f'From: "Somebody" <sip:{self.name}@{own}>;tag=1',
            f"To: <sip:{self.number}@{server}>{self.to_tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:gateway@{own};transport=tcp>",
            *headers,
            f"Content-Length: {len(body)}",
        )
        self._socket.sendall("\r\n".join((*lines, "", body)).encode())

    def _read(self) -> tuple[str, str]:
        while b"\r\n\r\n" not in self._received:
            self._fill()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        length = int(re.findall(rb"^Content-Length: *(\d+)", head, re.MULTILINE)[0])
        while len(rest) < length:
            self._fill()
            rest = self._received.partition(b"\r\n\r\n")[2]
        self._received = rest[length:]
        return head.decode(), rest[:length].decode()

    def _fill(self) -> None:
        data = self._socket.recv(65536)
        assert data, "Asterisk closed the connection"
        self._received += data
