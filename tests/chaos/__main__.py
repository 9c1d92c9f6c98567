"""`python -m tests.chaos`: kill the server thousands of times and print what became of the calls.

The kills are done in rounds with a fresh state each, in both modes by turns. Ends with 1 at the
first round that finds a fault, and leaves the files of that round behind.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, get_args

from .arena import Mode, run_arena

KILLS_PER_ROUND: Final = 100


def main() -> int:
    """Run rounds until there were enough kills; the exit code."""
    options = _options()
    modes: list[Mode] = [options.mode] if options.mode else list(get_args(Mode))
    left: int = options.kills
    number = 0
    while left > 0:
        mode = modes[number % len(modes)]
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{mode}-"))
        kills = min(left, KILLS_PER_ROUND)
        report = asyncio.run(run_arena(mode, folder, kills=kills, seed=options.seed + number))
        print(f"{mode}, {report}", flush=True)  # noqa: T201 - what this program is for
        if report.faults:
            print(f"files: {folder}")  # noqa: T201
            return 1
        shutil.rmtree(folder)
        left -= kills
        number += 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=2000, help="kills in all (default: 2000)")
    parser.add_argument("--mode", choices=get_args(Mode), help="one mode only")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(1_000_000),
        help="seed of the first round; each round prints its own",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
