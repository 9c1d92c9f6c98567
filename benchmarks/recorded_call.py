"""The events of one real call, and streams of thousands made of it.

`python -m benchmarks.recorded_call` records it anew from the lab's Asterisk: phone 1002 calls 1001
through the shipped dialplan, 1001 answers, 1002 hangs up. All classes of events are recorded; what
the user of dialplan/manager.conf would be sent is chosen from them by name.
"""

import gzip
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from fastagi_server.ami.decoding import DECODERS
from fastagi_server.ami.reading import event_name

RECORDING = Path(__file__).parent / "peers" / "recorded_call.txt.gz"
QUIET_SECONDS = 2.0

_END = b"\r\n\r\n"
_ID = re.compile(rb"(?<= )\d{10}\.\d+(?=\r)")
_NUMBER = re.compile(rb"(?<=PJSIP/100[12]-)[0-9a-f]{8}")
_BRIDGE = re.compile(rb"(?<=BridgeUniqueid: )[0-9a-f]{8}")
_TIME = re.compile(rb"(?<=\r\nTimestamp: )\d+\.\d+")


def messages(*, chosen: bool) -> list[bytes]:
    """The messages of the call without their ends; `chosen` are those that supervision is sent."""
    recorded = gzip.decompress(RECORDING.read_bytes()).removesuffix(_END).split(_END)
    return [each for each in recorded if not chosen or event_name(each) in DECODERS]


def stream(calls: int, *, chosen: bool) -> Iterator[bytes]:
    """The events of so many calls, one call after another, each with ids of its own."""
    call = _END.join(messages(chosen=chosen)) + _END
    for number in range(calls):
        yield renamed(call, number)


def renamed(call: bytes, number: int) -> bytes:
    """The call as the `number`-th of many."""
    first = 1_800_000_000 + number

    def unique_id(match: re.Match[bytes]) -> bytes:
        return b"%d.%b" % (first, match[0].partition(b".")[2])

    text = _ID.sub(unique_id, call)
    text = _NUMBER.sub(b"%08x" % number, text)
    return _BRIDGE.sub(b"%08x" % number, text)


def stamped(call: bytes, at: float) -> bytes:
    """The call as one of which all happened `at`, a Unix time."""
    return _TIME.sub(b"%.6f" % at, call)


def record() -> bytes:
    """Place the call in a fresh Asterisk and return all that AMI says of it."""
    from lab.asterisk import Asterisk  # noqa: PLC0415 - replaying needs no lab
    from lab.phones import Phone  # noqa: PLC0415

    with Asterisk.start() as asterisk:
        manager = asterisk.folder / "etc/manager.conf"
        kept = [line for line in manager.read_text().splitlines() if "eventfilter" not in line]
        manager.write_text("\n".join(kept).replace("read = system,call", "read = all,call") + "\n")
        asterisk.cli("manager reload")
        with (
            Phone.answering(asterisk, "1001") as called,
            socket.create_connection(("127.0.0.1", asterisk.ports.ami)) as connection,
        ):
            _send(connection, "Login", Username="sky-genesis", Secret=asterisk.passwords["ami"])
            _read_quiet(connection)
            with Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=300) as caller:
                caller.wait()
                called.wait()
            return _read_quiet(connection)


def _send(connection: socket.socket, action: str, **fields: str) -> None:
    lines = [f"Action: {action}", *(f"{name}: {value}" for name, value in fields.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


def _read_quiet(connection: socket.socket) -> bytes:
    """All that comes until nothing does."""
    connection.settimeout(QUIET_SECONDS)
    received = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            received += connection.recv(65_536)
        except TimeoutError:
            break
    return received


if __name__ == "__main__":
    RECORDING.write_bytes(gzip.compress(record(), mtime=0))
    print(f"{RECORDING.name}: {len(messages(chosen=False))} events, {len(messages(chosen=True))}")
