"""Which of several processes delivers: the one that holds the lock on a file.

The kernel gives the lock back when its holder dies, however it dies; nothing can be stale.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def leading(path: Path, *, retry_seconds: float = 0.5) -> AsyncGenerator[None]:
    """Wait for the lock on `path` as long as it takes, and hold it within the context.

    Another process dying is noticed within `retry_seconds`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while not _locked(descriptor):  # noqa: ASYNC110 - the kernel sends no event for it
            await asyncio.sleep(retry_seconds)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
