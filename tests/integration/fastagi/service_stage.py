"""The service as `service.py` makes it, on loopback, with a fake SGE API or its own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from structlog.typing import EventDict

from fastagi_server.service import Service, open_service
from fastagi_server.settings import Settings
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import FakeSge, Request

PATIENCE_SECONDS = 10.0


@dataclass
class ServiceStage:
    """A running service; `logs` are the lines since it began."""

    service: Service
    sge: FakeSge
    logs: list[EventDict]
    warm_requests: int

    @property
    def address(self) -> tuple[str, int]:
        """Where the service answers AGI."""
        return self.service.agi.addresses[0]

    @property
    def posts(self) -> list[Request]:
        """The requests to the API that ask for something to be done."""
        return [request for request in self.sge.requests if request.method == "POST"]

    async def run(self, asterisk: FakeAsterisk, script: str | None = None) -> None:
        """Run AGI(), with another script than the first if one is given."""
        await asterisk.run(*self.address, script)
        assert asterisk.violations == []

    async def waiting(self) -> list[tuple[str, str]]:
        """Kind and key of what is in the outbox, oldest first."""
        return [(letter.kind, letter.key) for letter in await self.service.outbox.pending_letters()]

    async def emptied(self) -> None:
        """Wait until nothing is in the outbox."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.waiting():  # noqa: ASYNC110 - the disk is asked each time
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def relaying(self) -> AsyncGenerator[None]:
        """Deliver what waits while the body runs."""
        relay = asyncio.create_task(self.service.relay.run())
        try:
            yield
        finally:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)


def settings_of(folder: Path, url: str, **given: Any) -> Settings:
    """Settings of a test: everything on loopback, in `folder`, nothing from the environment."""
    values: dict[str, Any] = {
        "sge_api_url": url,
        "sge_api_key": "key",
        "sge_deadline_seconds": 8.0,
        "fastagi_listen": "127.0.0.1:0",
        "fastagi_state_dir": folder,
        "fastagi_system_name": "pbx",
        "port": 0,
        **given,
    }
    return Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]  # pydantic's own


@asynccontextmanager
async def open_stage(
    folder: Path, *, embedded: bool = False, **given: Any
) -> AsyncGenerator[ServiceStage]:
    """The service on the stage; `embedded` lets it be its own API, and the fake one idle."""
    async with AsyncExitStack() as stack:
        logs = stack.enter_context(capture_logs())
        api = await stack.enter_async_context(FakeSge())
        settings = settings_of(folder, "" if embedded else api.url, **given)
        service = await stack.enter_async_context(open_service(settings, measures=Measures()))
        yield ServiceStage(service, api, logs, len(api.requests))
