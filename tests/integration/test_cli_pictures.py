"""The commands that show what a running service does, as processes of their own."""

import asyncio
import fcntl
import json
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.application import create_app
from fastagi_server.http import HttpServer
from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

ROOT = Path(__file__).parents[2]
EVIL = "evil\x1b[2J\x1b]0;owned\x07"
PATIENCE_SECONDS = 20.0


@dataclass
class Stage:
    """A service, and a folder that commands run in."""

    url: str
    folder: Path

    def environment(self, **given: str) -> dict[str, str]:
        """The settings of the service that is asked."""
        host, port = self.url.removeprefix("http://").split(":")
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "FASTAGI_STATE_DIR": str(self.folder),
            "FASTAGI_API_HOST": host,
            "PORT": port,
            "SGE_API_KEY": "bootstrap",
            **given,
        }

    async def run(self, *arguments: str, **given: str) -> tuple[int | None, str]:
        """Exit code and output of a command."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fastagi_server", *arguments),
            cwd=self.folder,
            env=self.environment(**given),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()


@pytest.fixture
async def stage(store: Store, measures: Measures, tmp_path: Path) -> AsyncIterator[Stage]:
    """A service with a call and a room."""
    app: FastAPI = create_app(
        store=store, measures=measures, bootstrap_key="bootstrap", version="1.2.3"
    )
    async with HttpServer(app, "127.0.0.1", 0) as server:
        running = asyncio.create_task(server.run())
        url = "http://{}:{}".format(*server.address)
        headers = {"X-API-Key": "bootstrap"}
        metadata = {"asterisk_call_id": "pbx-17.4", "caller_name": EVIL}
        body = {"participants": ["SIP/1001"], "call_type": "audio", "metadata": metadata}
        async with httpx.AsyncClient(base_url=f"{url}/api/v1/voip", headers=headers) as client:
            assert (await client.post("/calls", json=body)).status_code == 201
            await client.post("/rooms", json={"name": "Stand-up", "max_participants": 5})
        yield Stage(url, tmp_path)
        server.stop()
        await running


async def test_tables(stage: Stage) -> None:
    """Each command shows its part with the settings' own address and key, at 80 columns."""
    code, output = await stage.run("calls")
    assert code == 0, output
    assert "starting" in output
    assert "SIP/1001" in output
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 80
    assert "Stand-up" in (await stage.run("rooms"))[1]
    assert "no Asterisk can be asked" in (await stage.run("endpoints"))[1]


async def test_json(stage: Stage) -> None:
    """JSON is what the service said, for programs."""
    code, output = await stage.run("calls", "--json")
    assert code == 0, output
    assert [call["from"] for call in json.loads(output)] == [EVIL]
    _, output = await stage.run("top", "--json")
    assert json.loads(output)["verdict"]["word"] == "working"


async def test_top_without_a_terminal(stage: Stage) -> None:
    """All of it is printed once."""
    code, output = await stage.run("top")
    assert code == 0, output
    for word in ("WORKING", "store", "starting", "Stand-up"):
        assert word in output


async def test_a_key_file(stage: Stage) -> None:
    """A key of one's own and an address are enough, whatever the settings say."""
    key_file = stage.folder / "key"
    key_file.write_text("bootstrap\n")
    options = ("--url", stage.url, "--key-file", str(key_file))
    code, output = await stage.run("calls", *options, SGE_API_KEY="", PORT="nonsense")
    assert code == 0, output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"PORT": "1"}, "nobody answers at http://127.0.0.1:1"),
        ({"SGE_API_KEY": "wrong"}, "make a key by `fastagi-server keys create"),
        ({"PORT": "0"}, "PORT is 0"),
        ({"SGE_API_URL": "https://sge.example.org"}, "names a remote API"),
    ],
)
async def test_refusals(stage: Stage, given: dict[str, str], words: str) -> None:
    """What is wrong is said in a line, with exit code 1."""
    code, output = await stage.run("calls", **given)
    assert code == 1
    assert words in output
    assert "Traceback" not in output


async def test_bad_settings(stage: Stage) -> None:
    """Settings that cannot be read are a usage error."""
    code, output = await stage.run("rooms", PORT="nonsense")
    assert code == 2
    assert "error: " in output


async def test_the_outbox(stage: Stage) -> None:
    """Without a command the outbox is shown, as tables or as JSON."""
    async with open_outbox(stage.folder / "outbox.sqlite3", measures=Measures()):
        pass
    code, output = await stage.run("outbox")
    assert code == 0, output
    assert output.splitlines() == ["0 wait: none", "0 were given up: none"]
    _, output = await stage.run("outbox", "--json")
    shown = json.loads(output)
    assert (shown["pending"], shown["dead"]) == ([], [])
    assert (shown["statistics"]["pending"], shown["statistics"]["dead"]) == (0, 0)


def resize(descriptor: int, lines: int, columns: int) -> None:
    """Make a terminal so large."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


async def read_until(descriptor: int, text: str) -> str:
    """What comes from a terminal up to and with this text."""
    seen = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while text.encode() not in seen:
            seen += await asyncio.to_thread(os.read, descriptor, 65_536)
    return seen.decode(errors="replace")


async def test_top_on_a_terminal(stage: Stage) -> None:
    """The screen is drawn at the terminal's size, follows it, and q leaves it as it was."""
    outside, inside = pty.openpty()
    resize(inside, 24, 80)
    before = termios.tcgetattr(inside)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fastagi_server", "top"),
        cwd=stage.folder,
        env=stage.environment(TERM="xterm-256color"),
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    try:
        screen = await read_until(outside, "q quits")
        assert "\x1b[?1049h" in screen
        assert "WORKING" in screen
        assert "\x1b]0;" not in screen
        assert "\x1b[2Jx" not in screen
        assert "evil\ufffd[2J" in screen
        resize(inside, 40, 132)
        await read_until(outside, "─" * 120)
        os.write(outside, b"q")
        await read_until(outside, "\x1b[?1049l")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
        assert termios.tcgetattr(inside) == before
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(outside)
        os.close(inside)
