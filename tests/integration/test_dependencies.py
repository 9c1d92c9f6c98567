"""What a process depends on, as the composition root says it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fastagi_server.health.states import State
from fastagi_server.service import Service, open_service
from fastagi_server.settings import Settings


def settings(folder: Path, **given: Any) -> Settings:
    """Settings of a service on loopback."""
    values: dict[str, Any] = {
        "fastagi_listen": "127.0.0.1:0",
        "port": 0,
        "fastagi_state_dir": folder,
        **given,
    }
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]  # pydantic's own


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Service]:
    """A service with its own API and no Asterisk."""
    async with open_service(settings(tmp_path)) as service:
        yield service


async def names(service: Service) -> list[str]:
    """What it depends on."""
    return [dependency.name for dependency in (await service.health.check()).dependencies]


async def test_embedded(embedded: Service) -> None:
    """The store comes with the embedded API."""
    assert await names(embedded) == ["store", "events", "outbox", "sge_api", "log", "disk"]
    assert embedded.health.summary().word == "ok"


async def test_second_worker_and_remote_api(tmp_path: Path) -> None:
    """Without an API of its own, or without serving it, the store is not looked at."""
    own = ["outbox", "sge_api", "log", "disk"]
    async with open_service(settings(tmp_path), worker=1) as service:
        assert await names(service) == own
    remote = settings(tmp_path, sge_api_url="http://127.0.0.1:1", sge_api_key="key")
    async with open_service(remote) as service:
        assert await names(service) == own


async def test_links(tmp_path: Path) -> None:
    """Links that were never up are down: the service is not ready before they are."""
    given = settings(
        tmp_path,
        asterisk_ari_url="http://127.0.0.1:1",
        asterisk_ari_password="secret",
        asterisk_ami_host="127.0.0.1",
        asterisk_ami_secret="secret",
    )
    async with open_service(given) as service:
        summary = await service.health.check()
    assert not summary.is_ready
    assert summary.reason == (
        "link to Asterisk's REST interface: connecting,"
        " link to Asterisk's manager interface: connecting"
    )


async def test_remote_watch(tmp_path: Path) -> None:
    """Supervision for a remote API is a dependency, too."""
    given = settings(
        tmp_path,
        sge_api_url="http://127.0.0.1:1",
        sge_api_key="key",
        asterisk_ami_host="127.0.0.1",
        asterisk_ami_secret="secret",
    )
    async with open_service(given) as service:
        assert (await names(service))[-1] == "ami"
        assert service.health.summary().state_of("ami") is State.DOWN


async def test_disk(embedded: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room where the state is kept is looked at."""

    class Usage:
        free = 1_000_000

    def usage(_path: object) -> Usage:
        return Usage()

    monkeypatch.setattr("shutil.disk_usage", usage)
    summary = await embedded.health.check()
    assert (summary.word, summary.reason) == ("degraded", "disk space is low")
