"""The API down and the API hanging: what a caller waits then."""

from benchmarks.load import Load, median
from benchmarks.processes import free_port
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig
from benchmarks.servers import BUDGET_SECONDS, OURS

DOWN_LIMIT_MS = 20.0
GRACE_MS = 100.0

_ANY_OUTCOME = ("-m", "any")  # a queued call has a provisional id, which the stub never gave


def api_down(rig: Rig) -> Section:
    """Nobody listens where the API should be; the breaker opens and stays open."""
    rate = 200
    with rig.serve(OURS, free_port()) as served:
        rig.load(served, calls=100, concurrent=50, extra=_ANY_OUTCOME)
        options = (*_ANY_OUTCOME, "-r", str(rate))
        loads = [
            rig.load(served, calls=rig.scaled(2_000), concurrent=500, warm_up=rate, extra=options)
            for _ in range(min(rig.rounds, 3))
        ]
    load = median(loads)
    return Section(
        f"API down, breaker open, {rate} calls a second",
        _HEADER,
        (_row(load),),
        "Each call is queued on disk before the dialplan goes on: this is the price of not "
        "losing it.",
        (
            Bar(
                "API down, p99 with the breaker open",
                f"under {DOWN_LIMIT_MS:.0f} ms",
                f"{load.p99 / 1000:.1f} ms, {load.errors} errors",
                load.p99 / 1000 < DOWN_LIMIT_MS and load.errors == 0,
            ),
        ),
    )


def api_hanging(rig: Rig) -> Section:
    """The API accepts and never answers."""
    rate = 50
    limit_ms = BUDGET_SECONDS * 1000 + GRACE_MS
    with rig.api(mode="hang") as api_port, rig.serve(OURS, api_port) as served:
        options = (*_ANY_OUTCOME, "-r", str(rate))
        load = rig.load(served, calls=rig.scaled(800), concurrent=500, warm_up=0, extra=options)
    return Section(
        f"API hanging, {rate} calls a second",
        _HEADER,
        (_row(load),),
        "The first calls wait for their whole budget; then the breaker opens and the rest do not.",
        (
            Bar(
                "API hanging, longest session",
                f"at most the budget of {BUDGET_SECONDS:g} s plus {GRACE_MS:.0f} ms",
                f"{load.longest / 1000:,.0f} ms, {load.errors} errors",
                load.longest / 1000 <= limit_ms and load.errors == 0,
            ),
        ),
    )


_HEADER = ("server", "calls/s", "p50 ms", "p99 ms", "max ms", "errors")


def _row(load: Load) -> tuple[str, ...]:
    return (
        OURS.name,
        f"{load.per_second:,.0f}",
        f"{load.p50 / 1000:,.2f}",
        f"{load.p99 / 1000:,.2f}",
        f"{load.longest / 1000:,.2f}",
        str(load.errors),
    )
