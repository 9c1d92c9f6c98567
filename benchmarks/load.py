"""The load generator's answer, and medians of several of them."""

import json
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchmarkError, environment

LOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """One run of the load generator; times in microseconds."""

    calls: int
    per_second: float
    cpu: float
    p50: float
    p99: float
    longest: float
    errors: int


def generate(tool: Path, options: Sequence[str]) -> Load:
    """Run the load generator to its end. Raises BenchmarkError when it gives no figures."""
    try:
        done = subprocess.run(
            [str(tool), "-j", "-L", *options],
            capture_output=True,
            check=False,
            env=environment({}),
            timeout=LOAD_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"no end of the load within {LOAD_SECONDS:.0f} s") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise BenchmarkError(f"load generator: {done.stderr.decode()[-500:]}") from error
    return Load(
        calls=answer["sessions"],
        per_second=answer["sps"],
        cpu=answer["cpu_us_per"],
        p50=answer["p50_us"],
        p99=answer["p99_us"],
        longest=answer["max_us"],
        errors=answer["errors"],
    )


def median(loads: Iterable[Load]) -> Load:
    """Each figure's median over the runs; the longest latency and the errors of all of them."""
    runs = list(loads)
    return Load(
        calls=sum(run.calls for run in runs),
        per_second=statistics.median(run.per_second for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        p50=statistics.median(run.p50 for run in runs),
        p99=statistics.median(run.p99 for run in runs),
        longest=max(run.longest for run in runs),
        errors=sum(run.errors for run in runs),
    )


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Median of the ratios within each round: what both saw of the machine cancels out."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))
