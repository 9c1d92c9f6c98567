"""The manager interface over TLS, as the real Asterisk speaks it."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ami_stage import linked
from test_real_ari_tls import certify

from lab.asterisk import Asterisk
from lab.processes import wait_until
from lab.root import Root

pytestmark = pytest.mark.asterisk

LISTEN = """[general]
tlsenable = yes
tlsbindaddr = 127.0.0.1:{port}
tlscertfile = {folder}/crt.pem
tlsprivatekey = {folder}/key.pem
"""


@dataclass(frozen=True)
class Encrypted:
    """An Asterisk whose manager interface speaks TLS on a port, and its certificate."""

    asterisk: Asterisk
    port: int
    certificate: Path


@pytest.fixture(scope="module")
def encrypted(lab_root: Root) -> Iterator[Encrypted]:
    """Run an Asterisk that speaks TLS too."""
    with Asterisk.start(root=lab_root) as running:
        port = running.ports.phone(19).last
        etc = running.folder / "etc"
        certificate = certify(etc)
        manager = etc / "manager.conf"
        listen = LISTEN.format(port=port, folder=lab_root.inside(etc))
        manager.write_text(manager.read_text().replace("[general]\n", listen, 1))
        running.cli("manager reload")
        assert wait_until(lambda: f"127.0.0.1:{port}" in running.cli("manager show settings"), 10)
        yield Encrypted(running, port, certificate)


async def test_events_and_lists_go_over_tls(encrypted: Encrypted) -> None:
    """The certificate is checked against the one authority."""
    async with linked(
        encrypted.port,
        encrypted.asterisk.passwords["ami"],
        ssl_context=ssl.create_default_context(cafile=str(encrypted.certificate)),
    ) as (link, watcher):
        await watcher.until(lambda: link.state == "up" and len(watcher.events) == 1)
        assert await link.channels() == []


async def test_an_unknown_certificate_is_not_trusted(encrypted: Encrypted) -> None:
    """The secret is not sent to it."""
    async with linked(encrypted.port, "never sent", ssl_context=ssl.create_default_context()) as (
        link,
        watcher,
    ):
        await watcher.until(lambda: "certificate verify failed" in link.last_error)
    assert watcher.runs == []


async def test_a_plain_port_is_no_tls(encrypted: Encrypted) -> None:
    """The link says that it could not connect, and goes on trying."""
    async with linked(
        encrypted.asterisk.ports.ami, "never sent", ssl_context=ssl.create_default_context()
    ) as (link, watcher):
        await watcher.until(lambda: "no connection to 127.0.0.1" in link.last_error)
    assert watcher.runs == []


async def test_a_tls_port_is_no_manager_to_who_speaks_plainly(encrypted: Encrypted) -> None:
    """Nobody greets; the secret waits for a greeting that is one."""
    async with linked(encrypted.port, "never sent") as (link, watcher):
        await watcher.until(lambda: link.last_error != "")
    assert watcher.runs == []
