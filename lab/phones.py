"""SIP phones of the lab: SIPp processes that play a scenario against one Asterisk.

with Asterisk.start() as asterisk, Phone.answering(asterisk, "1001") as callee:
    with Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=500) as caller:
        assert caller.wait() and callee.wait()
    assert caller.statuses() == [401, 100, 180, 200, 200]
"""

import re
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import processes
from lab.asterisk import Asterisk
from lab.configuration import TRUNK_ADDRESS
from lab.errors import StartError
from lab.ports import PHONES_PER_INSTANCE, PhonePorts, is_free

SCENARIOS = Path(__file__).resolve().parent / "scenarios"

START_SECONDS = 5.0
STOP_SECONDS = 2.0
WAIT_SECONDS = 20.0
# SIPp gives up by itself after this, whatever becomes of the process that started it.
LIFETIME_SECONDS = 300

# A second of silence in mu-law, sent over and over: something for the far end to echo.
SILENCE = b"\xff" * 8000

RECEIVED_RESPONSE = re.compile(
    r"message received \[\d+\] bytes ?:\s+SIP/2\.0 (\d{3}).*?^CSeq: ([^\r\n]*)",
    re.DOTALL | re.MULTILINE,
)

MESSAGE = re.compile(
    r"message (sent|received) \[\d+\] bytes ?:\s+(?:SIP/2\.0 (\d{3})|([A-Z]+) sip:)"
)


class Phone:
    """One phone, playing one scenario once (or `calls` times). Start it by what it shall do.

    It ends by itself with its scenario; leaving the `with` block ends it in any case.
    """

    def __init__(self, asterisk: Asterisk, user: str, address: str = "127.0.0.1") -> None:
        self.asterisk = asterisk
        self.user = user
        self.address = address
        self.ports = _free_ports(asterisk)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{user}-", dir=asterisk.folder / "phones"))
        # What a scenario calls [name], besides what every scenario has.
        self.words: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._is_registered = False

    @classmethod
    def answering(
        cls, asterisk: Asterisk, user: str, *, ring_ms: int = 0, hang_up_after_ms: int | None = None
    ) -> Self:
        """Return a registered phone that rings, answers and echoes all audio.

        It hangs up by itself `hang_up_after_ms` after it answered, or waits for the far end.
        """
        if hang_up_after_ms is None:
            return cls(asterisk, user).listen("answer", ring_ms)
        return cls(asterisk, user).listen("answer-hang-up", hang_up_after_ms)

    @classmethod
    def answering_many(cls, asterisk: Asterisk, user: str, calls: int) -> Self:
        """Return a registered phone that takes so many calls, at once if need be."""
        return cls(asterisk, user).listen("answer", calls=calls)

    @classmethod
    def talking(cls, asterisk: Asterisk, user: str, *, ring_ms: int = 0) -> Self:
        """Return a registered phone that rings, answers and sends audio of its own."""
        return cls(asterisk, user).listen("talk", ring_ms)

    @classmethod
    def announcing(cls, asterisk: Asterisk, user: str, *, early_ms: int) -> Self:
        """Return a registered phone that sends audio before it answers."""
        return cls(asterisk, user).listen("early-media", early_ms)

    @classmethod
    def holding(cls, asterisk: Asterisk, user: str, *, after_ms: int) -> Self:
        """Return a registered phone that answers, puts its caller on hold and takes him back.

        Both happen `after_ms` after what was before.
        """
        return cls(asterisk, user).listen("hold", after_ms)

    @classmethod
    def busy(cls, asterisk: Asterisk, user: str) -> Self:
        """Return a registered phone that refuses a call with 486."""
        return cls(asterisk, user).listen("busy")

    @classmethod
    def not_answering(cls, asterisk: Asterisk, user: str) -> Self:
        """Return a registered phone that rings until the caller gives up."""
        return cls(asterisk, user).listen("no-answer")

    @classmethod
    def calling(
        cls,
        asterisk: Asterisk,
        user: str,
        called: str,
        *,
        hang_up_after_ms: int | None = None,
        cancel_after_ms: int | None = None,
    ) -> Self:
        """Return a phone that calls `called`, with digest authentication.

        Without a time it talks until the far end hangs up; with one it hangs up so long after the
        answer, or gives up so long after the far end began to ring.
        """
        phone = cls(asterisk, user)
        if cancel_after_ms is not None:
            return phone.place("call-cancel", called, cancel_after_ms)
        if hang_up_after_ms is not None:
            return phone.place("call-hang-up", called, hang_up_after_ms)
        return phone.place("call", called)

    @classmethod
    def trunk_calling(cls, asterisk: Asterisk, number: str, called: str) -> Self:
        """Return a call from outside: `number` calls `called` over the trunk until hung up."""
        return cls(asterisk, number, TRUNK_ADDRESS).place("trunk-call", called)

    @classmethod
    def carrier(cls, asterisk: Asterisk, scenario: str = "answer") -> Self:
        """Return the far side of the trunk: it takes a call with a scenario of lab/scenarios."""
        carrier = cls(asterisk, "carrier", TRUNK_ADDRESS)
        carrier.ports = PhonePorts(asterisk.ports.sip)
        return carrier.answer_unregistered(scenario)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def wait(self, seconds: float = WAIT_SECONDS) -> bool:
        """Return whether the scenario ran to its end before the deadline."""
        if self._process is None:
            return False
        try:
            return self._process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False

    def stop(self) -> None:
        """End the phone at once, whatever it is doing, and take back its registration."""
        if self._process is not None:
            processes.end(self._process, STOP_SECONDS)
        if self._is_registered:
            self._is_registered = False
            self._register(expires_seconds=0)

    def messages(self) -> str:
        """Return all SIP messages sent and received, as SIPp logs them."""
        file = self.folder / "messages.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def statuses(self) -> list[int]:
        """Return the status codes of the SIP responses received, in order, repeats left out."""
        responses = dict.fromkeys(RECEIVED_RESPONSE.findall(self.messages()))
        return [int(status) for status, _sequence in responses]

    def conversation(self) -> list[str]:
        """Return the SIP messages in order, as `> INVITE` (sent) and `< 200` (received)."""
        marks = {"sent": ">", "received": "<"}
        return [
            f"{marks[way]} {status or method}"
            for way, status, method in MESSAGE.findall(self.messages())
        ]

    def explain(self) -> str:
        """Return what SIPp says went wrong, for the message of a failed assertion."""
        parts = [self.folder / "errors.log", self.folder / "output"]
        texts = [part.read_text(errors="replace")[-1500:] for part in parts if part.exists()]
        return "\n".join(texts)

    def listen(self, scenario: str, pause_ms: int = 0, *, calls: int = 1) -> Self:
        """Register, then take calls with a scenario of lab/scenarios; its pause is `pause_ms`."""
        self._process = self._sipp(
            scenario,
            self.ports,
            *("-rtp_echo", "-d", str(pause_ms), "-m", str(calls)),
            pause_ms=pause_ms,
        )
        try:
            self._wait_listening()
            self._register_contact()
        except BaseException:
            self.stop()
            raise
        return self

    def answer_unregistered(self, scenario: str) -> Self:
        """Take a call at an address that Asterisk knows already, with a scenario."""
        self._process = self._sipp(scenario, self.ports, "-rtp_echo", "-m", "1")
        try:
            self._wait_listening()
        except BaseException:
            self.stop()
            raise
        return self

    def place(self, scenario: str, called: str, pause_ms: int = 0) -> Self:
        """Call `called` with a scenario of lab/scenarios, whose pause is `pause_ms`."""
        self._process = self._sipp(
            scenario,
            self.ports,
            *("-d", str(pause_ms), "-m", "1", "-key", "called", called),
            pause_ms=pause_ms,
        )
        return self

    def _wait_listening(self) -> None:
        if not processes.wait_until(self._is_listening, START_SECONDS):
            raise StartError(f"phone {self.user} does not listen:\n{self.explain()}")

    def _is_listening(self) -> bool:
        return not is_free(socket.SOCK_DGRAM, self.ports.sip, self.address)

    def _register_contact(self) -> None:
        """Tell Asterisk where this phone listens, and wait until Asterisk has reached it there."""
        self._is_registered = self._register(expires_seconds=LIFETIME_SECONDS)
        online = self._is_registered and processes.wait_until(self._is_online, START_SECONDS)
        if not online:
            raise StartError(f"phone {self.user} could not register:\n{self.explain()}")

    def _register(self, expires_seconds: int) -> bool:
        """Return whether Asterisk took the registration; 0 seconds end it."""
        keys = ("-m", "1", "-key", "contact_port", str(self.ports.sip), "-key", "expires")
        process = self._sipp("register", self.ports.beside, *keys, str(expires_seconds))
        try:
            return process.wait(START_SECONDS) == 0
        except subprocess.TimeoutExpired:
            processes.end(process, STOP_SECONDS)
            return False

    def _is_online(self) -> bool:
        endpoint = self.asterisk.control.request("GET", f"endpoints/PJSIP/{self.user}")
        return bool(endpoint["state"] == "online")

    def _sipp(
        self, scenario: str, ports: PhonePorts, *options: str, pause_ms: int = 0
    ) -> "subprocess.Popen[bytes]":
        """Start SIPp with a scenario; it runs in Asterisk's root, where it is installed."""
        # SIPp takes the time limit of a wait from the scenario alone.
        text = (SCENARIOS / f"{scenario}.xml").read_text().replace("@PAUSE@", str(pause_ms))
        (self.folder / f"{scenario}.xml").write_text(text)
        (self.folder / "silence.ulaw").write_bytes(SILENCE)
        inside = self.asterisk.root.inside(self.folder)
        password = self.asterisk.passwords.get(self.user, "")
        prefix = "" if ports is self.ports else f"{scenario}-"
        arguments = {
            "-sf": f"{inside}/{scenario}.xml",
            "-s": self.user,
            "-au": self.user,
            "-ap": password,
            "-i": self.address,
            "-mi": self.address,
            "-p": str(ports.sip),
            "-cp": str(ports.control),
            "-min_rtp_port": str(ports.media),
            "-max_rtp_port": str(ports.last),
            "-timeout": f"{LIFETIME_SECONDS}s",
            "-message_file": f"{inside}/{prefix}messages.log",
            "-error_file": f"{inside}/{prefix}errors.log",
        }
        command = self.asterisk.root.command(
            "/usr/bin/sipp",
            f"127.0.0.1:{self.asterisk.ports.sip}",
            *(word for pair in arguments.items() for word in pair),
            *(word for pair in self.words.items() for word in ("-key", *pair)),
            *("-key", "silence", f"{inside}/silence.ulaw"),
            *("-nostdin", "-aa", "-timeout_error", "-trace_msg", "-trace_err"),
            *options,
        )
        return processes.start(command, self.folder / f"{prefix}output")


def _free_ports(asterisk: Asterisk) -> PhonePorts:
    for number in range(PHONES_PER_INSTANCE):
        ports = asterisk.ports.phone(number)
        if is_free(socket.SOCK_DGRAM, ports.control):
            return ports
    raise StartError(f"all {PHONES_PER_INSTANCE} places for a phone are taken")
