"""Audio of a phone that the lab makes and listens to itself: a tone, packets lost on purpose.

SIPp's own audio can neither lose packets nor be listened to.

    with voice_of(asterisk, "1001", loses_every=5) as voice:
        ...
        assert voice.hears_tone()
"""

import re
import socket
import struct
import threading
import time
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

_THEIR_AUDIO = re.compile(r"^m=audio (\d+) RTP", re.MULTILINE)
_MESSAGE = re.compile(r"^-{20,}.*$", re.MULTILINE)


class Voice:
    """Speaks and listens in place of a phone whose scenario leaves that to it.

    Of every `loses_every` packets one is not sent; 0 sends them all.
    """

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
            audio.bind((self.phone.address, int(self.phone.words["voice_port"])))
            audio.settimeout(LISTEN_SECONDS)
            number, due = 0, time.monotonic()
            while not self._is_over.is_set():
                self._listen(audio)
                if time.monotonic() >= due:
                    number, due = number + 1, due + PACKET_SECONDS
                    if not self._loses_every or number % self._loses_every:
                        audio.sendto(_packet(number), ("127.0.0.1", self._their_port()))

    def _listen(self, audio: socket.socket) -> None:
        try:
            sound = audio.recv(2048)[12:]
        except TimeoutError:
            return
        is_loud = sum((sample & 0x7F) < LOUD for sample in sound) > len(sound) // 2
        self._loud_packets += is_loud

    def _their_port(self) -> int:
        """The port that Asterisk named last, 0 before it named any."""
        received = (
            message
            for message in _MESSAGE.split(self.phone.messages())
            if "message received" in message
        )
        ports = [int(port) for message in received for port in _THEIR_AUDIO.findall(message)]
        return ports[-1] if ports else 0


def voice_of(asterisk: Asterisk, user: str, *, loses_every: int = 0) -> Voice:
    """Return the voice of a registered phone that answers at once."""
    phone = _phone(asterisk, user).listen("answer-voice")
    return Voice(phone, loses_every=loses_every)


def calling_voice(asterisk: Asterisk, user: str, called: str) -> Voice:
    """Return the voice of a phone that calls `called`."""
    return Voice(_phone(asterisk, user).place("call-voice", called))


def _phone(asterisk: Asterisk, user: str) -> Phone:
    phone = Phone(asterisk, user)
    phone.words["voice_port"] = str(phone.ports.last - 1)
    return phone


def _packet(number: int) -> bytes:
    """RTP: version 2, payload type 0 (mu-law), one stream that has no beginning."""
    head = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, 0x5A5A5A5A)
    return head + WAVE * WAVES
