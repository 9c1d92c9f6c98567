"""agi-bin/sge-voip-integration.py between pipes and a socket, without an Asterisk."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "agi-bin" / "sge-voip-integration.py"
ENVIRONMENT = b"agi_request: sge-voip-integration.py\nagi_uniqueid: 17.4\nagi_accountcode: \n\n"
DEADLINE_SECONDS = 10


def load_script() -> ModuleType:
    """Import the script under a name that Python can spell."""
    specification = importlib.util.spec_from_file_location("sge_voip_integration", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Session:
    """The script with the test on both sides of it: as Asterisk, and as the server."""

    def __init__(self, process: "subprocess.Popen[bytes]", server: socket.socket) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.to_script: IO[bytes] = process.stdin
        self.from_script: IO[bytes] = process.stdout
        self.server = server

    def say(self, text: bytes) -> None:
        """Write as Asterisk does."""
        self.to_script.write(text)
        self.to_script.flush()

    def received(self, end: bytes) -> bytes:
        """Return what the server gets, up to `end`."""
        text = b""
        while not text.endswith(end):
            chunk = self.server.recv(4096)
            assert chunk, text
            text += chunk
        return text

    def finish(self) -> int:
        """Close Asterisk's end and return the script's exit code."""
        self.to_script.close()
        return self.process.wait(DEADLINE_SECONDS)


def start(*arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start the script with Asterisk's ends of the pipes in the test's hands."""
    return subprocess.Popen(
        [sys.executable, "-IS", str(SCRIPT), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


@contextmanager
def stopping(
    process: "subprocess.Popen[bytes]",
) -> Generator["subprocess.Popen[bytes]"]:
    """Kill the script when the test is over and it is not."""
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen where the script will look for its server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE_SECONDS)
        yield listening


@pytest.fixture
def session(listener: socket.socket) -> Iterator[Session]:
    """Return a session whose request the server has read."""
    port = listener.getsockname()[1]
    with stopping(start("register", f"127.0.0.1:{port}")) as process:
        assert process.stdin is not None
        process.stdin.write(ENVIRONMENT)
        process.stdin.flush()
        server, _ = listener.accept()
        with server:
            server.settimeout(DEADLINE_SECONDS)
            session = Session(process, server)
            session.received(b"\n\n")
            yield session


def test_the_request_is_that_of_fastagi(listener: socket.socket) -> None:
    """The server gets the two network lines first and then what Asterisk wrote."""
    port = listener.getsockname()[1]
    with stopping(start("end?call=1", "", SGE_AGI_ADDRESS=f"127.0.0.1:{port}")) as process:
        assert process.stdin is not None
        process.stdin.write(ENVIRONMENT + b"")
        process.stdin.flush()
        server, _ = listener.accept()
        with server:
            server.settimeout(DEADLINE_SECONDS)
            request = Session(process, server).received(b"\n\n")
    assert request == b"agi_network: yes\nagi_network_script: end?call=1\n" + ENVIRONMENT


def test_own_arguments_are_taken_out() -> None:
    """Route and address disappear from the request; the arguments after them move up."""
    environment = (
        b"agi_request: x\nagi_arg_1: register\nagi_arg_2: 127.0.0.1\n"
        b"agi_arg_3: a:b\nagi_arg_4: \n\n"
    )
    request = load_script().network_request(environment, "register")
    assert request == (
        b"agi_network: yes\nagi_network_script: register\n"
        b"agi_request: x\nagi_arg_1: a:b\nagi_arg_2: \n\n"
    )


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ([], "", ("register", "127.0.0.1:4573")),
        (["end"], "", ("end", "127.0.0.1:4573")),
        (["end"], "10.0.0.1:99", ("end", "10.0.0.1:99")),
        (["end", "10.0.0.2:98"], "10.0.0.1:99", ("end", "10.0.0.2:98")),
        (["", ""], "", ("register", "127.0.0.1:4573")),
        (["end\nagi_callerid: 911"], "", ("end", "127.0.0.1:4573")),
    ],
)
def test_route_and_address(
    arguments: list[str],
    variable: str,
    expected: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arguments come before the environment, that before the defaults; no line can be forged."""
    monkeypatch.setenv("SGE_AGI_ADDRESS", variable)
    assert load_script().own_arguments(arguments) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:99", ("127.0.0.1", 99)),
        ("agi://pbx.example:99/", ("pbx.example", 99)),
        ("pbx.example", ("pbx.example", 4573)),
        ("[::1]:99", ("::1", 99)),
        ("[::1]", ("::1", 4573)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    """Host and port are found in every form of address."""
    assert load_script().host_and_port(address) == expected


def test_commands_and_replies_are_carried(session: Session) -> None:
    """A command reaches Asterisk and its reply the server, byte for byte."""
    session.server.sendall(b"GET VARIABLE X\n")
    assert session.from_script.readline() == b"GET VARIABLE X\n"
    session.say(b"200 result=1 (one\ntwo \xff)\n")
    assert session.received(b")\n") == b"200 result=1 (one\ntwo \xff)\n"
    assert session.finish() == 0


def test_half_a_line_waits_for_its_end(session: Session) -> None:
    """Asterisk never sees a part of a line, which would make it spin."""
    session.server.sendall(b"NOOP\nSET VARIABLE A ")
    assert os.read(session.from_script.fileno(), 4096) == b"NOOP\n"
    session.server.sendall(b'"1"\n')
    assert os.read(session.from_script.fileno(), 4096) == b'SET VARIABLE A "1"\n'


def test_the_last_batch_is_answered(session: Session) -> None:
    """A server that sends its last commands and closes half still gets their replies."""
    session.server.sendall(b"NOOP 1\nNOOP 2\n")
    session.server.shutdown(socket.SHUT_WR)
    assert session.from_script.read() == b"NOOP 1\nNOOP 2\n"
    session.say(b"200 result=0\n200 result=0\n")
    assert session.received(b"0\n200 result=0\n") == b"200 result=0\n200 result=0\n"
    assert session.process.wait(DEADLINE_SECONDS) == 0


def test_a_reply_that_never_comes_is_not_waited_for(session: Session) -> None:
    """A command that was interrupted has no reply: the script ends without it."""
    session.server.sendall(b"STREAM FILE beep 1\nNOOP\n")
    session.server.shutdown(socket.SHUT_WR)
    session.say(b"520-Usage\n520 End of proper usage.\n")
    assert session.process.wait(DEADLINE_SECONDS) == 0


def test_a_server_that_dies_ends_the_commands(session: Session) -> None:
    """A connection that breaks closes the pipe of commands, so that Asterisk goes on."""
    session.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    session.server.close()
    assert session.from_script.read() == b""
    assert session.process.wait(DEADLINE_SECONDS) == 0


def test_a_hang_up_is_a_line(session: Session) -> None:
    """SIGHUP becomes HANGUP."""
    session.process.send_signal(signal.SIGHUP)
    assert session.received(b"\n") == b"HANGUP\n"


def test_a_hang_up_does_not_cut_a_reply(session: Session) -> None:
    """HANGUP waits for the end of the line that Asterisk is writing."""
    session.say(b"200 result=1 (half")
    assert session.received(b"half") == b"200 result=1 (half"
    session.process.send_signal(signal.SIGHUP)
    session.say(b" whole)\n")
    assert session.received(b"HANGUP\n") == b" whole)\nHANGUP\n"


def test_a_server_without_line_ends_is_left(session: Session) -> None:
    """A line longer than any command ends the session as a failure."""
    session.server.sendall(b"x" * 200_000)
    assert session.from_script.readline() == b"failure\n"


def test_nobody_there_is_told_to_a_registration() -> None:
    """Without a server a registration gets its variables, one reply waited for each."""
    with stopping(start("register", "127.0.0.1:1")) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(ENVIRONMENT)
        process.stdin.flush()
        commands: list[bytes] = []
        for _ in range(3):
            commands.append(process.stdout.readline())
            process.stdin.write(b"200 result=1\n")
            process.stdin.flush()
        assert process.stdout.readline() == b"failure\n"
        assert process.wait(DEADLINE_SECONDS) == 0
    assert commands == [
        b'SET VARIABLE SGE_STATUS "FAILED"\n',
        b'SET VARIABLE SGE_ERROR "Call service unreachable"\n',
        b'SET VARIABLE SGE_ERROR_CODE "service_unreachable"\n',
    ]


def test_nobody_there_is_a_failure_for_other_routes() -> None:
    """Without a server the end of a call fails without touching the call's variables."""
    with stopping(start("end", "127.0.0.1:1")) as process:
        output, errors = process.communicate(ENVIRONMENT, DEADLINE_SECONDS)
    assert output == b"failure\n"
    assert errors.startswith(b"sge-voip-integration: no call service at 127.0.0.1:1: ")
    assert process.returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.1:port", "127.0.0.1:99999", "[::1:4573"])
def test_an_address_that_makes_no_sense_is_a_failure(address: str) -> None:
    """A mistake in the address is told like a server out of reach."""
    with stopping(start("end", address)) as process:
        output, errors = process.communicate(ENVIRONMENT, DEADLINE_SECONDS)
    assert output == b"failure\n"
    assert b"no call service at" in errors


def test_a_request_cut_short_is_a_failure() -> None:
    """A request without its empty line is not sent on."""
    with stopping(start("register", "127.0.0.1:1")) as process:
        output, errors = process.communicate(b"agi_request: x\n", DEADLINE_SECONDS)
    assert output == b"failure\n"
    assert errors == b"sge-voip-integration: Asterisk sent no whole block of lines\n"


def test_asterisk_gone_is_the_end() -> None:
    """A script whose reader has gone ends quietly."""
    with stopping(start("end", "127.0.0.1:1")) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(ENVIRONMENT)
        process.stdin.close()
        assert process.wait(DEADLINE_SECONDS) == 0
