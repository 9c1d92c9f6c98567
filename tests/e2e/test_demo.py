"""`make demo`: it shows a call from every side, checks it, and leaves nothing running."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lab.configuration import CHECKOUT
from lab.records import records
from lab.root import Root

DEADLINE_SECONDS = 50

HEADINGS = [
    "AGI: the dialplan asks the service (ms since Asterisk connected)",
    "HTTP: the service asks SGE",
    "Dialplan: it goes on with these variables",
    "Record: GET /calls/{id} over the life of the call (ms since it was placed)",
    "Timings",
]


def start(*options: str, **environment: str) -> "subprocess.Popen[str]":
    """Start the demonstration."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab.demo", *options],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*options: str, **environment: str) -> tuple[int, str, str]:
    """Run the demonstration to its end: exit code, output, errors."""
    with start(*options, **environment) as demo:
        output, errors = demo.communicate(timeout=DEADLINE_SECONDS)
    return demo.returncode, output, errors


def has_ended(output: str) -> bool:
    """Whether the service that an output names has stopped listening."""
    named = re.search(r"agi://127\.0\.0\.1:(\d+)", output)
    assert named is not None, output
    try:
        with socket.create_connection(("127.0.0.1", int(named[1])), 5):
            return False
    except ConnectionRefusedError:
        return True


def test_with_the_fake_asterisk() -> None:
    """The same report and checks without a PBX; it says which Asterisk it was, and why."""
    code, output, errors = run("--fake")
    assert (code, errors) == (0, "")
    assert "No real Asterisk: --fake asks for the fake one" in output
    assert [heading for heading in HEADINGS if heading not in output] == []
    assert re.search(r"SGE_STATUS +REGISTERED\n", output)
    assert '"hangup_cause":16, "dial_status":"ANSWER"' in output
    assert re.search(r"\d+ ms  initiating\n +\d+ ms  connected\n +\d+ ms  ended\n", output)
    assert re.search(r"All \d+ checks hold", output)
    assert max(map(len, output.splitlines())) <= 100
    assert has_ended(output)


def test_where_asterisk_cannot_be_had(tmp_path: Path) -> None:
    """On a machine that cannot install it the reason is said, and the fake does the call."""
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output, errors = run(FASTAGI_LAB_DIR=str(tmp_path / "lab"), PATH=str(empty))
    assert (code, errors) == (0, "")
    assert re.search(r"No real Asterisk: .+\n", output)
    assert re.search(r"All \d+ checks hold", output)


@pytest.mark.asterisk
def test_with_the_real_asterisk(lab_root: Root) -> None:
    """A real call, with the SIP of both phones; at the end no Asterisk of it is left."""
    with start() as demo:
        output, errors = demo.communicate(timeout=DEADLINE_SECONDS)
    assert (demo.returncode, errors) == (0, "")
    assert "No real Asterisk" not in output
    assert [heading for heading in HEADINGS if heading not in output] == []
    assert "  1002    > INVITE < 401 > ACK > INVITE < 100 < 180 < 200 > ACK > BYE < 200\n" in output
    assert re.search(r"1001 .*< INVITE > 180 > 200 < ACK < BYE > 200\n", output)
    assert re.search(r"SGE_STATUS +REGISTERED\n", output)
    assert "in Asterisk's own record" in output
    assert re.search(r"All \d+ checks hold", output)
    assert len(output.splitlines()) <= 65
    assert has_ended(output)
    assert demo.pid not in owners(lab_root)


def owners(root: Root) -> set[int]:
    """The processes that some running Asterisk belongs to."""
    return {record.owner.number for record in records(root.instances).values() if record.owner}


@pytest.mark.asterisk
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(lab_root: Root, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM in the middle of the call stops Asterisk, phones and service."""
    with start() as demo:
        assert demo.stdout is not None
        output = ""
        while "phones" not in output:
            line = demo.stdout.readline()
            assert line, output
            output += line
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=DEADLINE_SECONDS)
    assert demo.returncode == 130
    assert errors == "demo: interrupted; everything is stopped again\n"
    assert has_ended(output)
    assert demo.pid not in owners(lab_root)
