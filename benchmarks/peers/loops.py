"""Runs a peer on the loop that its command line asks for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop


def run(main: Coroutine[Any, Any, None], *, on_uvloop: bool) -> None:
    """Run until the process is stopped, on asyncio's own loop or on uvloop."""
    factory = uvloop.new_event_loop if on_uvloop else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
