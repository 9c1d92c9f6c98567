"""The samples for systemd, looked at and used by systemd's own programs."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from service_process import PATIENCE_SECONDS, ROOT, environment, free_port

from fastagi_server.settings import Settings
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from lab import programs

UNITS = ROOT / "systemd"
SOCKETS = ("fastagi-server.socket", "fastagi-server-http.socket")
SECRETS_IN_URLS = {"fastagi_database_url"}


@pytest.fixture(autouse=True)
def systemd() -> None:
    """The programs of systemd; without them skip, saying why, and on CI fail."""
    reason = programs.why_not("systemd-analyze", "systemd-socket-activate")
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def settings_of(unit: str) -> dict[str, str]:
    """The last value of every setting in a unit."""
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", (UNITS / unit).read_text()))


def test_the_service_is_hardened() -> None:
    """Systemd's own measure of what a service could do to its host is 2.0 or below."""
    unit = str(UNITS / "fastagi-server.service")
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout
    level = re.search(r"exposure level for fastagi-server.service: ([\d.]+)", done.stdout)
    assert level is not None
    assert float(level[1]) <= 2.0


def test_the_units_are_understood(tmp_path: Path) -> None:
    """Systemd finds no unknown setting and no wrong value in the units and the drop-in."""
    for unit in ("fastagi-server.service", *SOCKETS):
        text = (UNITS / unit).read_text()
        (tmp_path / unit).write_text(
            text.replace("/opt/fastagi-server/bin/fastagi-server", "/bin/true")
        )
    drop_in = tmp_path / "fastagi-server.service.d"
    drop_in.mkdir()
    enabled = re.sub(r"(?m)^#(?=LoadCredential)", "", (UNITS / "credentials.conf").read_text())
    (drop_in / "credentials.conf").write_text(enabled)
    done = run("systemd-analyze", "verify", *(str(tmp_path / unit) for unit in SOCKETS))
    assert done.stdout == ""


def test_every_secret_has_its_credential() -> None:
    """The sample names each setting that holds a secret, and nothing that is no setting."""
    sample = (UNITS / "credentials.conf").read_text()
    named = re.findall(r"(?m)^#LoadCredential=(\w+):/etc/fastagi-server/credentials/(\w+)$", sample)
    assert [name for name, file in named if name != file] == []
    secret = {
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert {name for name, _ in named} == secret | SECRETS_IN_URLS


def test_the_sockets_have_the_names_the_service_knows() -> None:
    """One unit for AGI, one for HTTP, both of the one service, on the default addresses."""
    agi, http = map(settings_of, SOCKETS)
    assert (agi["FileDescriptorName"], agi["ListenStream"]) == ("agi", "127.0.0.1:4573")
    assert (http["FileDescriptorName"], http["ListenStream"]) == ("http", "127.0.0.1:8080")
    assert http["Service"] == "fastagi-server.service"


def test_the_user_and_the_folders_can_be_made(tmp_path: Path) -> None:
    """systemd-sysusers and systemd-tmpfiles make what the service needs in an empty root."""
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("there is no systemd-sysusers on this machine")
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", str(ROOT / "systemd/sysusers.conf"))
    assert made.returncode == 0, made.stdout
    assert re.search(r"(?m)^fastagi:.*:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text())
    if os.geteuid() == 0:
        tmpfiles = str(ROOT / "systemd/tmpfiles.conf")
        run("systemd-tmpfiles", f"--root={tmp_path}", "--create", tmpfiles)
        folder = tmp_path / "etc/fastagi-server"
        assert oct(folder.stat().st_mode)[-3:] == "750"
        assert oct((folder / "credentials").stat().st_mode)[-3:] == "700"


async def test_activation_by_systemd(tmp_path: Path) -> None:
    """The first caller starts the service, and is answered by it; so is the API on its socket."""
    agi, http = free_port(), free_port()
    given = environment(tmp_path, 1, {"SGE_API_KEY": "key", "HOME": str(tmp_path)})
    activator = await asyncio.create_subprocess_exec(
        "systemd-socket-activate",
        *("-l", f"127.0.0.1:{agi}", "-l", f"127.0.0.1:{http}", "--fdname=agi:http"),
        *(f"--setenv={name}={value}" for name, value in given.items()),
        *(sys.executable, "-m", "fastagi_server", "run"),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert activator.stderr is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while b"Listening on" not in await activator.stderr.readline():
                pass
            assert b"Listening on" in await activator.stderr.readline()
        asterisk = FakeAsterisk("register", deadline=PATIENCE_SECONDS)
        await asterisk.run("127.0.0.1", agi)
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            address = f"http://127.0.0.1:{http}/api/v1/voip/calls"
            answer = await client.get(address, headers={"X-API-Key": "key"})
        assert [call["id"] for call in answer.json()] == [asterisk.variables["SGE_CALL_ID"]]
        os.kill(activator.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await activator.communicate()
        assert activator.returncode == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(activator.pid, signal.SIGKILL)
        await activator.communicate()
