"""What one POST costs under each transport, without the AGI around it."""

import statistics

import uvloop

from benchmarks.report import Section
from benchmarks.rig import Rig, progress
from benchmarks.transports import CONCURRENCIES, CONTENDERS, measure


def transports(rig: Rig) -> Section:
    """CPU a request of httpx's default transport, of aiohttp under httpx, and of ours."""
    cpu: dict[tuple[str, int], list[float]] = {}
    with rig.api() as api_port:
        url = f"http://127.0.0.1:{api_port}/api/v1/voip/calls"
        for turn in range(min(rig.rounds, 3)):
            for name in CONTENDERS:
                progress(f"round {turn + 1}: {name}")
                for concurrency in CONCURRENCIES:
                    used = uvloop.run(_cpu(url, name, concurrency, rig.scaled(2_000)))
                    cpu.setdefault((name, concurrency), []).append(used)
    return Section(
        "A POST, by transport",
        ("transport", *(f"CPU us, {concurrency} at once" for concurrency in CONCURRENCIES)),
        tuple(
            (
                name,
                *(f"{statistics.median(cpu[name, each]):,.0f}" for each in CONCURRENCIES),
            )
            for name in CONTENDERS
        ),
        "Processor time of the client alone, from a body to a decoded answer.",
    )


async def _cpu(url: str, name: str, concurrency: int, requests: int) -> float:
    async with CONTENDERS[name](url) as request:
        processor, _ = await measure(request, concurrency, requests)
    return processor
