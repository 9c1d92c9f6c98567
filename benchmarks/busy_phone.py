"""A telephone that notes when it is rung and is always busy."""

import contextlib
import queue
import socket
import threading
import time
from types import TracebackType
from typing import Self

from benchmarks.processes import BenchmarkError

RING_SECONDS = 5.0

_COPIED = ("via", "from", "call-id", "cseq")


class BusyPhone:
    """Listens for SIP on a loopback port; `uri` is what rings it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._rung: queue.Queue[float] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, name="phone")

    @property
    def uri(self) -> str:
        """Its address."""
        return f"sip:bench@127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def times_rung(self) -> int:
        """How many calls rang it that nobody waited for yet."""
        return self._rung.qsize()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # it is not connected, and the listener wakes anyway
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def wait(self) -> float:
        """When it was rung, on `time.perf_counter`. Raises BenchmarkError after RING_SECONDS."""
        try:
            return self._rung.get(timeout=RING_SECONDS)
        except queue.Empty as error:
            raise BenchmarkError(f"the phone was not rung in {RING_SECONDS:.0f} s") from error

    def _listen(self) -> None:
        seen = set[bytes]()
        while True:
            message, address = self._socket.recvfrom(65_536)
            now = time.perf_counter()
            if not message:
                return
            if not message.startswith(b"INVITE "):
                continue
            answer, call_id = busy(message)
            if call_id not in seen:  # and no repetition of it
                seen.add(call_id)
                self._rung.put(now)
            self._socket.sendto(answer, address)


def busy(invite: bytes) -> tuple[bytes, bytes]:
    """The answer 486 to an INVITE, and the INVITE's Call-ID."""
    lines = [b"SIP/2.0 486 Busy Here"]
    call_id = b""
    for line in invite.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name = line.partition(b":")[0].strip().lower().decode()
        if name == "to":
            lines.append(line + b";tag=busy")
        elif name in _COPIED:
            lines.append(line)
        if name == "call-id":
            call_id = line
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""]), call_id
