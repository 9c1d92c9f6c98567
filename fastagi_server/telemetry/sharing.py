"""Figures of the other workers: each has a Unix socket in the state folder that gives its own.

Whoever connects gets one JSON document, {"attribute": [[labels, value], ...]} with a histogram's
value as [counts, total], and the end. A worker that does not answer in a quarter of a second is
left out. The folder is the service's own, so nobody else can connect.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import orjson
import structlog

from fastagi_server.telemetry.kinds import Histogram, Series
from fastagi_server.telemetry.measures import Measures

ANSWER_SECONDS = 0.25

MAX_BYTES = 4 * 1024 * 1024
"""Of one worker's document; a full one has some 100 KB."""

_log = structlog.stdlib.get_logger("measures")


def socket_path(folder: Path, worker: int) -> Path:
    """Where the figures of a worker are."""
    return folder / f"measures-{worker}.sock"


@asynccontextmanager
async def share(measures: Measures, path: Path) -> AsyncGenerator[None]:
    """Give the figures of this process at a socket until the context is left.

    Where there can be no socket, such as at a path of more than 107 bytes, they are not shared and
    a log line says so: calls matter more.
    """

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await measures.collectors.refresh()
                writer.write(dump(measures))
                await writer.drain()
        writer.close()

    _remove(path)
    try:
        server = await asyncio.start_unix_server(answer, path)
    except OSError as error:
        _log.warning("figures_not_shared", socket=path.name, reason=str(error))
        yield
        return
    try:
        yield
    finally:
        server.close()
        _remove(path)


async def ask(path: Path) -> Measures | None:
    """The figures at a socket; None, and a log line, when they are not to be had."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path, limit=MAX_BYTES)
            try:
                return load(await _read_all(reader))
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        _log.warning("worker_without_figures", socket=path.name, reason=repr(error))
        return None


def dump(measures: Measures) -> bytes:
    """The document."""
    return orjson.dumps(
        {
            row.attribute: [
                [labels, [value.counts, value.total] if isinstance(value, Series) else value]
                for labels, value in values.values.items()
            ]
            for row, values in measures.rows()
        }
    )


def load(document: bytes) -> Measures:
    """The figures of a document; measures that one side does not know are left out.

    Raises `ValueError` or `TypeError` for anything else.
    """
    found: Any = orjson.loads(document)
    if not isinstance(found, dict):
        raise ValueError("the document is no object")  # noqa: TRY004 - what came is data
    series_of = cast("dict[str, list[Any]]", found)
    measures = Measures()
    for row, values in measures.rows():
        for labels, value in series_of.get(row.attribute, []):
            if not isinstance(values, Histogram):
                values.values[tuple(labels)] = float(value)
                continue
            series = values.values[tuple(labels)] = Series(len(values.bounds))
            counts, series.total = value
            if len(counts) != len(series.counts):
                raise ValueError(f"{row.name} has other buckets")
            series.counts = counts
    return measures


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await reader.read(65_536):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise ValueError("the document is too long")
    return b"".join(parts)
