"""A process that appends to an outbox as fast as it can and says what it was promised.

    appending_process.py DATABASE NAME [LEADS]

Prints each unique id when its append has been acknowledged. With LEADS it also waits for
leadership and prints `leading` when it has it.
"""

import asyncio
import sys
from pathlib import Path

from fastagi_server.outbox.outbox import Outbox, open_outbox
from fastagi_server.registration.models import Registration
from fastagi_server.telemetry.measures import Measures


async def append_for_ever(outbox: Outbox, name: str) -> None:
    """Append one registration after the other."""
    number = 0
    while True:
        number += 1
        unique_id = f"{name}.{number}"
        await outbox.append(Registration("pbx", unique_id, "", "", "", "", "", "", (), "audio"))
        sys.stdout.write(f"{unique_id}\n")
        sys.stdout.flush()


async def lead(outbox: Outbox) -> None:
    """Say when this process leads, and stay so."""
    async with outbox.leading():
        sys.stdout.write("leading\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def main(path: Path, name: str, *, leads: bool) -> None:
    """Run until killed."""
    async with open_outbox(path, measures=Measures()) as outbox:
        if leads:
            await lead(outbox)
        async with asyncio.TaskGroup() as tasks:
            for worker in range(8):
                tasks.create_task(append_for_ever(outbox, f"{name}-{worker}"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], leads=len(sys.argv) > 3))
