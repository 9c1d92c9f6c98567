"""What is shown to whoever asks for the measures: those of all workers, as they are now."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastagi_server.telemetry.listener import listen
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.process import ProcessFigures
from fastagi_server.telemetry.prometheus import render, render_workers
from fastagi_server.telemetry.sharing import ask, share, socket_path


class Exposition:
    """The measures of this process and of the workers whose figures are at `others`.

    With others the label `worker` tells whose a series is, because each counts from 0 when it
    starts anew; `name` is this process's own.
    """

    def __init__(self, measures: Measures, others: Sequence[tuple[str, Path]] = ()) -> None:
        self.measures = measures
        self._others = others

    @classmethod
    def of_workers(cls, measures: Measures, folder: Path, count: int) -> "Exposition":
        """What the first of `count` workers shows; the others share theirs in `folder`."""
        others = [(str(number), socket_path(folder, number)) for number in range(1, count)]
        return cls(measures, others)

    async def workers(self) -> dict[str, Measures]:
        """The measures of this process, brought up to date, and of the others that answer.

        It takes 0.3 s at most, however the others and Asterisk are.
        """
        await self.measures.collectors.refresh()
        workers = {"0": self.measures}
        if self._others:
            found = await asyncio.gather(*(ask(path) for _, path in self._others))
            for (name, _), measures in zip(self._others, found, strict=True):
                if measures is not None:
                    workers[name] = measures
        return workers

    async def text(self) -> bytes:
        """The document for Prometheus, of `workers`."""
        workers = await self.workers()
        return render_workers(workers) if self._others else render(self.measures)


@asynccontextmanager
async def open_exposition(
    measures: Measures,
    *,
    version: str,
    folder: Path,
    worker: int,
    workers: int,
    address: tuple[str, int] | None,
) -> AsyncGenerator[Exposition]:
    """What one worker shows: the first to the outside, the others to the first.

    With `address` the first serves it over HTTP there. Leaving asks no collector any more. Raises
    `OSError` when the address cannot be had.
    """
    ProcessFigures(measures, version)
    exposition = Exposition.of_workers(measures, folder, workers if worker == 0 else 1)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(measures.collectors.close)
        if worker > 0:
            await stack.enter_async_context(share(measures, socket_path(folder, worker)))
        elif address is not None:
            await stack.enter_async_context(listen(*address, exposition.text, measures))
        yield exposition
