"""The figures of several workers, asked for over Unix sockets."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fastagi_server.telemetry import sharing
from fastagi_server.telemetry.exposition import Exposition, open_exposition
from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.sharing import ask, dump, load, share, socket_path


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for whoever answers, however busy the machine is."""
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 30.0)


@asynccontextmanager
async def peer(path: Path, answer: bytes, *, hangs: bool = False) -> AsyncGenerator[None]:
    """Somebody at a socket who answers this."""
    done = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if hangs:
            await done.wait()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        done.set()
        server.close()


def filled() -> Measures:
    """Measures of every kind."""
    measures = Measures()
    measures.registrations.add("QUEUED", "timeout", amount=3)
    measures.agi_sessions_open.set(7)
    measures.agi_session_seconds.observe(0.2, "register")
    measures.mos_samples.observe(4.2, "to")
    return measures


def test_document_holds_all() -> None:
    """What is read from a document renders as what was written into it."""
    read = load(dump(filled()))
    assert read.registrations.values == {("QUEUED", "timeout"): 3}
    assert read.agi_sessions_open.values == {(): 7}
    assert read.agi_session_seconds.values[("register",)].total == 0.2
    assert sum(read.mos_samples.values[("to",)].counts) == 1


def test_measures_of_another_version() -> None:
    """A measure that only one side knows is left out."""
    read = load(b'{"of_tomorrow": [[["x"], 1]], "drops": [[["log_line"], 2]]}')
    assert read.drops.values == {("log_line",): 2}


def test_histogram_of_another_version() -> None:
    """A distribution over other bounds is no use."""
    with pytest.raises(ValueError, match="sge_voip_mos_samples has other buckets"):
        load(b'{"mos_samples": [[["to"], [[1, 2], 3.5]]]}')


async def test_worker_is_asked(tmp_path: Path) -> None:
    """The figures at a socket are those of the process behind it, as they are now."""
    path = socket_path(tmp_path, 1)
    measures = filled()
    async with share(measures, path):
        measures.agi_sessions_open.set(8)
        found = await ask(path)
    assert found is not None
    assert found.agi_sessions_open.values == {(): 8}
    assert not path.exists()


async def test_successor_takes_the_place(tmp_path: Path) -> None:
    """The socket of a worker that was killed is in nobody's way."""
    path = socket_path(tmp_path, 1)
    path.touch()
    async with share(filled(), path):
        assert await ask(path) is not None


async def test_worker_that_is_not_there(tmp_path: Path) -> None:
    """Nobody's figures are None."""
    assert await ask(socket_path(tmp_path, 1)) is None


@pytest.mark.parametrize(
    "answer", [b"", b"{", b"[]", b'{"drops": 5}', b'{"drops": [[["x"], "y"]]}']
)
async def test_worker_that_talks_nonsense(tmp_path: Path, answer: bytes) -> None:
    """What cannot be read is None."""
    path = socket_path(tmp_path, 1)
    async with peer(path, answer):
        assert await ask(path) is None


async def test_worker_that_talks_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document over the limit is None."""
    monkeypatch.setattr(sharing, "MAX_BYTES", 1000)
    path = socket_path(tmp_path, 1)
    async with peer(path, b"x" * 100_000):
        assert await ask(path) is None


async def test_worker_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not come to an end in time is left out."""
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 0.05)
    path = socket_path(tmp_path, 1)
    async with peer(path, b"{", hangs=True):
        assert await ask(path) is None


async def test_path_that_is_too_long(tmp_path: Path) -> None:
    """A worker whose socket cannot be works on without it."""
    async with share(filled(), tmp_path / ("x" * 200)):
        pass


async def test_first_worker_shows_all(tmp_path: Path) -> None:
    """The document has the figures of each worker that answers, and says whose they are."""
    first, second = filled(), filled()
    exposition = Exposition.of_workers(first, tmp_path, 3)
    async with share(second, socket_path(tmp_path, 1)):
        text = (await exposition.text()).decode()
    lines = [line for line in text.splitlines() if line.startswith("sge_voip_agi_sessions_open")]
    assert lines == [
        'sge_voip_agi_sessions_open{worker="0"} 7',
        'sge_voip_agi_sessions_open{worker="1"} 7',
    ]


async def test_single_worker_has_no_label() -> None:
    """Where there is one process nothing tells it apart."""
    text = (await Exposition(filled()).text()).decode()
    assert "sge_voip_agi_sessions_open 7" in text.splitlines()
    assert "worker=" not in text


async def test_workers_of_a_service(tmp_path: Path) -> None:
    """The first worker serves HTTP where it is asked to; the others are found by it."""
    first, second = Measures(), filled()
    async with (
        open_exposition(
            second, version="1", folder=tmp_path, worker=1, workers=2, address=("127.0.0.1", 0)
        ),
        open_exposition(
            first, version="1", folder=tmp_path, worker=0, workers=2, address=("127.0.0.1", 0)
        ) as shown,
    ):
        text = (await shown.text()).decode()
    assert 'sge_voip_agi_sessions_open{worker="1"} 7' in text.splitlines()
    assert first.build.values.keys() == second.build.values.keys()
