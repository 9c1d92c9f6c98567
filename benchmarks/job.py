"""The fixed job under load: CPU a call, latency at 50 and 500 at once, and an open loop."""

from collections.abc import Callable, Sequence

from benchmarks.load import Load, median, ratio
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, Served, progress
from benchmarks.servers import C_FLOOR, OURS, PEERS, REFERENCE, Server

CPU_LIMIT = 0.45
CPU_AIM = 0.30
P99_LIMIT = 0.5
OPEN_LOOP_LIMIT = 1.3
OPEN_LOOP_RATE = 1_000
API_DELAY_MS = 20

Measure = Callable[[Served], Load]


def at_fifty(rig: Rig) -> Section:
    """CPU a call of everybody, 50 calls at once."""

    def measure(served: Served) -> Load:
        server = served.server
        return rig.load(served, calls=rig.scaled(server.calls), concurrent=server.concurrent)

    with rig.api() as api_port:
        runs = _interleave(rig, (OURS, *PEERS), api_port, measure)
    reference = [run.cpu for run in runs[REFERENCE.name]]
    share = ratio([run.cpu for run in runs[OURS.name]], reference)
    rows = tuple(
        (
            name,
            f"{median(loads).cpu:,.0f}",
            f"{ratio([run.cpu for run in loads], reference):.2f}",
            *_latency(median(loads)),
        )
        for name, loads in runs.items()
    )
    return Section(
        "The fixed job, 50 calls at once",
        ("server", "CPU us/call", "of panoramisk", *_LATENCY),
        rows,
        "Accept, read the request written one line a write, POST to the API over kept-alive "
        "connections, set two variables, close. CPU is user and system time of the server's "
        "process (and of the scripts it forked), without the API and the load generator.",
        (
            Bar(
                "CPU a call at 50 at once",
                f"at most {CPU_LIMIT} of panoramisk + aiohttp (aim {CPU_AIM:.2f})",
                f"{share:.2f}",
                share <= CPU_LIMIT,
            ),
        ),
    )


def at_five_hundred(rig: Rig) -> Section:
    """Latency of us, the reference and the floor, 500 calls at once."""

    def measure(served: Served) -> Load:
        return rig.load(served, calls=rig.scaled(8_000), concurrent=500)

    with rig.api() as api_port:
        runs = _interleave(rig, (OURS, C_FLOOR, REFERENCE), api_port, measure)
    reference = [run.p99 for run in runs[REFERENCE.name]]
    share = ratio([run.p99 for run in runs[OURS.name]], reference)
    return Section(
        "The fixed job, 500 calls at once",
        ("server", "CPU us/call", *_LATENCY),
        _plain_rows(runs),
        "A closed loop: the load generator starts a call as soon as one ends, so the latency is "
        "mostly the queue.",
        (
            Bar(
                "p99 at 500 at once",
                f"at most {P99_LIMIT} of panoramisk + aiohttp",
                f"{share:.2f}",
                share <= P99_LIMIT,
            ),
        ),
    )


def open_loop(rig: Rig) -> Section:
    """Calls that arrive on a fixed schedule, whatever the server does."""
    seconds = 3 if rig.quick else 8

    def measure(served: Served) -> Load:
        calls = OPEN_LOOP_RATE * seconds
        options = ("-r", str(OPEN_LOOP_RATE))
        return rig.load(
            served, calls=calls, concurrent=4_000, warm_up=OPEN_LOOP_RATE, extra=options
        )

    with rig.api(delay_ms=API_DELAY_MS) as api_port:
        runs = _interleave(rig, (OURS, C_FLOOR, REFERENCE), api_port, measure, rounds=3)
    ours = median(runs[OURS.name])
    share = ratio([r.p99 for r in runs[OURS.name]], [r.p99 for r in runs[C_FLOOR.name]])
    return Section(
        f"Open loop, {OPEN_LOOP_RATE:,} calls a second, API of {API_DELAY_MS} ms",
        ("server", "CPU us/call", *_LATENCY),
        _plain_rows(runs),
        "Latency counts from the scheduled arrival, so that a slow server cannot hide its queue.",
        (
            Bar(
                "open loop, errors",
                "none",
                str(ours.errors),
                ours.errors == 0,
            ),
            Bar(
                "open loop, p99",
                f"at most {OPEN_LOOP_LIMIT} of the C floor",
                f"{share:.2f} ({ours.p99 / 1000:.1f} ms)",
                share <= OPEN_LOOP_LIMIT,
            ),
        ),
    )


def _interleave(
    rig: Rig,
    servers: Sequence[Server],
    api_port: int,
    measure: Measure,
    *,
    rounds: int | None = None,
) -> dict[str, list[Load]]:
    """Measure each server once a round, so that all of them see the same machine."""
    runs: dict[str, list[Load]] = {server.name: [] for server in servers}
    with rig.serve_all(servers, api_port) as everybody:
        for turn in range(min(rounds or rig.rounds, rig.rounds)):
            # another begins each round: who runs after whom makes a difference of some percent
            start = turn % len(everybody)
            for served in everybody[start:] + everybody[:start]:
                progress(f"round {turn + 1}: {served.server.name}")
                runs[served.server.name].append(measure(served))
    return runs


_LATENCY = ("calls/s", "p50 ms", "p99 ms", "max ms", "errors")


def _latency(load: Load) -> tuple[str, ...]:
    return (
        f"{load.per_second:,.0f}",
        f"{load.p50 / 1000:,.1f}",
        f"{load.p99 / 1000:,.1f}",
        f"{load.longest / 1000:,.1f}",
        str(load.errors),
    )


def _plain_rows(runs: dict[str, list[Load]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (name, f"{median(loads).cpu:,.0f}", *_latency(median(loads)))
        for name, loads in runs.items()
    )
