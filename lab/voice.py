"""Media of a phone that the lab makes and looks at itself: a tone, lost packets, pictures.

SIPp's own audio can neither lose packets nor be listened to, and it has no video.

    with voice_of(asterisk, "1001", loses_every=5) as voice:
        ...
        assert voice.hears_tone()
"""

import re
import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from lab.asterisk import Asterisk
from lab.errors import StartError
from lab.phones import Phone
from lab.processes import wait_until

PACKET_SECONDS = 0.02
LISTEN_SECONDS = 0.002
START_SECONDS = 10.0
HEAR_SECONDS = 5.0
# A quarter of a second of it: longer than a click, shorter than anybody waits.
HEARD_PACKETS = 12

# One wave of 500 Hz at 8,000 samples a second, in mu-law, where the quiet values are near 0xff
# (and 0x7f); ten of them are a packet.
WAVE = bytes.fromhex("9f958f8b8a8b8f959f1f150f0b0a0b0f")
WAVES = 10
LOUD = 0x40

_MESSAGE = re.compile(r"^-{20,}.*$", re.MULTILINE)


class Voice:
    """Speaks and listens in place of a phone whose scenario leaves that to it.

    Of every `loses_every` packets one is not sent; 0 sends them all.
    """

    medium = "audio"
    port_word = "voice_port"

    def __init__(self, phone: Phone, *, loses_every: int = 0) -> None:
        self.phone = phone
        self._loses_every = loses_every
        self._loud_packets = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._talk, name=f"voice-{phone.user}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        self.phone.stop()

    def hears_tone(self, seconds: float = HEAR_SECONDS) -> bool:
        """Return whether a quarter of a second that is loud comes in before the deadline."""
        before = self._loud_packets
        return wait_until(lambda: self._loud_packets >= before + HEARD_PACKETS, seconds)

    def _talk(self) -> None:
        if not wait_until(
            lambda: self._is_over.is_set() or bool(self._their_port()), START_SECONDS
        ):
            raise StartError(f"phone {self.phone.user} was not told where to send its audio")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as audio:
            audio.bind((self.phone.address, int(self.phone.words[self.port_word])))
            audio.settimeout(LISTEN_SECONDS)
            number, due = 0, time.monotonic()
            while not self._is_over.is_set():
                self._listen(audio)
                if time.monotonic() >= due:
                    number, due = number + 1, due + PACKET_SECONDS
                    if not self._loses_every or number % self._loses_every:
                        audio.sendto(self._packet(number), ("127.0.0.1", self._their_port()))

    def _listen(self, audio: socket.socket) -> None:
        with suppress(TimeoutError):
            self._take(audio.recv(2048)[12:])

    def _take(self, sound: bytes) -> None:
        is_loud = sum((sample & 0x7F) < LOUD for sample in sound) > len(sound) // 2
        self._loud_packets += is_loud

    def _packet(self, number: int) -> bytes:
        return _rtp(0, number, number * 160, WAVE * WAVES)

    def _their_port(self) -> int:
        """The port that Asterisk named last, 0 before it named any."""
        return self._told(rf"^m={self.medium} (\d+) RTP")

    def _told(self, pattern: str) -> int:
        """The number that Asterisk said last in a line of this form, 0 when in none."""
        received = (
            message
            for message in _MESSAGE.split(self.phone.messages())
            if "message received" in message
        )
        named = re.compile(pattern, re.MULTILINE)
        numbers = [int(number) for message in received for number in named.findall(message)]
        return numbers[-1] if numbers else 0


class Camera(Voice):
    """Sends pictures and looks at those that come, in place of a phone's video.

    They are VP8 by name: what Asterisk passes on it does not decode.
    """

    medium = "video"
    port_word = "video_port"

    def __init__(self, phone: Phone) -> None:
        super().__init__(phone)
        self._seen: set[bytes] = set()

    def sees(self, other: "Camera", seconds: float = HEAR_SECONDS) -> bool:
        """Return whether a picture of another phone's comes in before the deadline."""
        picture = other._picture  # noqa: SLF001 - one of us
        return wait_until(lambda: picture in self._seen, seconds)

    @property
    def _picture(self) -> bytes:
        # One bit of the first byte says that a frame begins here.
        return b"\x10" + f"a picture of {self.phone.user}".encode() * 10

    def _take(self, sound: bytes) -> None:
        self._seen.add(sound)

    def _packet(self, number: int) -> bytes:
        kind = self._told(r"^a=rtpmap:(\d+) VP8/")
        return _rtp(0x80 | kind, number, number * 1800, self._picture)


def voice_of(asterisk: Asterisk, user: str, *, loses_every: int = 0) -> Voice:
    """Return the voice of a registered phone that answers at once."""
    phone = _phone(asterisk, user).listen("answer-voice")
    return Voice(phone, loses_every=loses_every)


def calling_voice(asterisk: Asterisk, user: str, called: str) -> Voice:
    """Return the voice of a phone that calls `called`."""
    return Voice(_phone(asterisk, user).place("call-voice", called))


def camera_of(asterisk: Asterisk, user: str) -> Camera:
    """Return the camera of a registered phone that answers at once, with sound and pictures."""
    phone = Phone(asterisk, user)
    phone.words["video_port"] = str(phone.ports.last - 1)
    return Camera(phone.listen("answer-video"))


def _phone(asterisk: Asterisk, user: str) -> Phone:
    phone = Phone(asterisk, user)
    phone.words["voice_port"] = str(phone.ports.last - 1)
    return phone


def _rtp(kind: int, number: int, instant: int, payload: bytes) -> bytes:
    """RTP: version 2, marker and payload type, one stream that has no beginning."""
    head = (0x80, kind, number & 0xFFFF, instant & 0xFFFFFFFF, 0x5A5A5A5A)
    return struct.pack("!BBHII", *head) + payload
