"""ARI over TLS, as the real Asterisk speaks it: operations and the event socket."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ari_stage import APPS, DIALPLAN, WAIT_SECONDS, Watcher

from fastagi_server.ari.client import open_ari
from fastagi_server.ari.errors import AriUnreachableError
from fastagi_server.ari.events import StasisStart
from fastagi_server.ari.link import AriLink
from fastagi_server.telemetry.measures import Measures
from lab.asterisk import Asterisk
from lab.processes import wait_until
from lab.root import Root

pytestmark = pytest.mark.asterisk

LISTEN = """
tlsenable = yes
tlsbindaddr = 127.0.0.1:{port}
tlscertfile = {folder}/crt.pem
tlsprivatekey = {folder}/key.pem
"""


@dataclass(frozen=True)
class Encrypted:
    """An Asterisk that speaks TLS on a port, and the certificate it shows."""

    asterisk: Asterisk
    port: int
    certificate: Path


def certify(folder: Path) -> Path:
    """Make a key, and a certificate for 127.0.0.1 that signs itself; return the latter."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("this machine has no openssl to make a certificate with")
    made = folder / "crt.pem"
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=x"
    subprocess.run(
        [
            openssl,
            *arguments.split(),
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            str(folder / "key.pem"),
            "-out",
            str(made),
        ],
        check=True,
        capture_output=True,
    )
    (folder / "key.pem").chmod(0o644)
    return made


@pytest.fixture(scope="module")
def encrypted(lab_root: Root) -> Iterator[Encrypted]:
    """Run an Asterisk that speaks TLS too."""
    with Asterisk.start(extensions=DIALPLAN, root=lab_root) as running:
        port = running.ports.phone(19).last
        etc = running.folder / "etc"
        certificate = certify(etc)
        with (etc / "http.conf").open("a") as configuration:
            configuration.write(LISTEN.format(port=port, folder=lab_root.inside(etc)))
        running.cli("module reload http")
        assert wait_until(lambda: f"127.0.0.1:{port}" in running.cli("http show status"), 10)
        yield Encrypted(running, port, certificate)


async def test_operations_and_events_go_over_tls(encrypted: Encrypted) -> None:
    """With the certificate as the one authority, both are checked against it."""
    measures, watcher, connected = Measures(), Watcher(), asyncio.Event()

    async def on_connected() -> None:
        connected.set()

    async with open_ari(
        f"https://127.0.0.1:{encrypted.port}/ari",
        username=encrypted.asterisk.control.user,
        password=encrypted.asterisk.passwords["ari"],
        measures=measures,
        ssl_context=ssl.create_default_context(cafile=str(encrypted.certificate)),
    ) as client:
        link = AriLink(
            client,
            applications=APPS,
            on_event=watcher.receive,
            on_connected=on_connected,
            on_lost=lambda _reason: None,
            measures=measures,
        )
        task = asyncio.create_task(link.run())
        async with asyncio.timeout(WAIT_SECONDS):
            await connected.wait()
        await client.create_channel("Local/wait@lab", app=APPS[0], channel_id="sealed")
        await watcher.kind(StasisStart, "sealed")
        await client.hang_up("sealed")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_unknown_certificate_is_not_trusted(encrypted: Encrypted) -> None:
    """Neither operations nor the login of the socket are sent to it."""
    async with open_ari(
        f"https://127.0.0.1:{encrypted.port}/ari",
        username="sky-genesis",
        password="never sent",
        measures=Measures(),
    ) as client:
        with pytest.raises(AriUnreachableError, match="certificate"):
            await client.ping()
        link = AriLink(
            client,
            applications=APPS,
            on_event=lambda _event: None,
            on_connected=lambda: asyncio.sleep(0),
            on_lost=lambda _reason: None,
            measures=Measures(),
        )
        task = asyncio.create_task(link.run())
        async with asyncio.timeout(WAIT_SECONDS):
            while not link.last_error:  # noqa: ASYNC110 - the link tells nobody of a try
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "certificate" in link.last_error
