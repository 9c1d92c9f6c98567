"""The measures of the real process: of several workers, and where the SGE API is remote."""

import asyncio
import json
from pathlib import Path

import httpx
from service_process import PATIENCE_SECONDS, ServiceProcess, free_port, process

from fastagi_server.snmp.objects import Values
from fastagi_server.snmp.source import parse
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import FakeSge


async def register(service: ServiceProcess, calls: int) -> None:
    """Register so many calls, one after another."""
    for number in range(calls):
        asterisk = FakeAsterisk("register", unique_id=f"17.{number}", deadline=PATIENCE_SECONDS)
        await asterisk.run("127.0.0.1", service.port)
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"


async def scrape(url: str) -> str:
    """The document at an address."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(url)
    assert answer.status_code == 200
    return answer.text


async def scrape_until(url: str, name: str, *, workers: int) -> Values:
    """The figures once a measure is known and as many workers answer: a busy machine is late."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            values = parse(await scrape(url))
            if name in values and len(values["process_start_time_seconds"]) == workers:
                return values


async def test_remote_api(tmp_path: Path) -> None:
    """With a remote SGE API the measures are at an address of their own."""
    async with (
        FakeSge() as sge,
        process(tmp_path, SGE_API_URL=sge.url, FASTAGI_METRICS_LISTEN="127.0.0.1:0") as service,
    ):
        address = json.loads(await service.line('"measures_listening"'))["address"]
        await service.line('"listening"')
        await register(service, 2)
        values = parse(await scrape(f"http://{address}/metrics"))
    assert values["sge_voip_registrations_total"] == [(("REGISTERED", ""), 2)]
    ((_, memory),) = values["process_resident_memory_bytes"]
    assert memory < 60e6, "the role without an API of its own stays small"
    assert "sge_voip_calls_active" not in values


async def test_address_that_is_taken(tmp_path: Path) -> None:
    """A service that cannot show its measures where it was told to does not start."""
    port = free_port()
    async with process(tmp_path, FASTAGI_METRICS_LISTEN=f"127.0.0.1:{port}") as first:
        await first.line('"listening"')
        (tmp_path / "second").mkdir()
        async with process(
            tmp_path / "second", FASTAGI_METRICS_LISTEN=f"127.0.0.1:{port}"
        ) as second:
            assert await second.end() == 1
            assert "address already in use" in second.text


async def test_workers_are_all_shown(tmp_path: Path) -> None:
    """The calls of all workers are in one document, whoever of them took each."""
    async with process(tmp_path, FASTAGI_WORKERS="3") as service:
        lines = [json.loads(await service.line('listening"')) for _ in range(4)]
        (address,) = [line["address"] for line in lines if line["event"] == "api_listening"]
        await register(service, 20)
        url = f"http://{address}/api/v1/metrics/prometheus"
        values = await scrape_until(url, "sge_voip_rooms_active", workers=3)
    registered = values["sge_voip_registrations_total"]
    assert sum(count for _, count in registered) == 20
    workers = {labels[-1] for labels, _ in values["process_start_time_seconds"]}
    assert workers == {"0", "1", "2"}
    assert values["sge_voip_rooms_active"] == [(("0",), 0)]
