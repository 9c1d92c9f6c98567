"""What only a server can do to us: restart, stall, lock, cancel, refuse."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EventKind
from fastagi_server.store import postgres as module
from fastagi_server.store.calls import StoredCalls
from fastagi_server.store.connection import Connection
from fastagi_server.store.database import find_place, open_database
from fastagi_server.store.errors import (
    StoreBusyError,
    StoreConflictError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from fastagi_server.store.opening import Store, open_store
from fastagi_server.store.postgres import PostgresDatabase, PostgresServer
from fastagi_server.testing.proxy import TcpProxy
from lab.postgres import Postgres

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CREATED = CallEvent(EventKind.CREATED, NOON, "alice", {})


def a_call(number: int = 1) -> Call:
    """A call of alice with bob."""
    return Call(
        id=f"call-{number}",
        caller_id="alice",
        participants=("bob",),
        call_type=CallType.AUDIO,
        status=CallStatus.INITIATING,
        start_time=NOON,
        answered_at=None,
        end_time=None,
        room_id=None,
        metadata={},
        updated_at=NOON,
    )


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """A store in PostgreSQL with one call."""
    async with open_store(postgres_url) as store:
        await store.calls.create(a_call(), CREATED, None)
        yield store


@pytest.fixture
async def proxy(postgres: Postgres) -> AsyncIterator[TcpProxy]:
    """A proxy in front of the server."""
    async with TcpProxy("127.0.0.1", postgres.port) as proxy:
        yield proxy


def through(proxy: TcpProxy, url: str) -> str:
    """The URL of a database with the proxy between."""
    return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)


async def eventually(attempt: Callable[[], Awaitable[object]]) -> None:
    """Repeat until it does not raise StoreError any more."""
    async with asyncio.timeout(30):
        while True:
            try:
                await attempt()
            except StoreError:
                await asyncio.sleep(0.01)
            else:
                return


def terminate_others(connection: Connection) -> None:
    """End every connection to this database but this one."""
    connection.command(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def test_restart_between_requests(store: Store, postgres: Postgres) -> None:
    """Connections that died unused are replaced unseen: no request fails after a restart."""
    await asyncio.gather(*(store.calls.get("call-1") for _ in range(20)))
    postgres.kill()
    postgres.resume()
    assert await store.calls.get("call-1") == a_call()
    assert await asyncio.gather(*(store.calls.get("call-1") for _ in range(20))) == [a_call()] * 20
    assert await store.calls.create(a_call(2), CREATED, None) == (a_call(2), True)


async def test_server_is_away(store: Store, postgres: Postgres) -> None:
    """Without its server the store refuses at once, and works again when the server is back."""
    postgres.halt()
    try:
        with pytest.raises(StoreUnavailableError, match="connection"):
            await store.calls.get("call-1")
        with pytest.raises(StoreUnavailableError, match="connection"):
            await store.calls.create(a_call(2), CREATED, None)
        with pytest.raises(StoreUnavailableError):
            await store.database.ping()
    finally:
        postgres.resume()
    await eventually(store.database.ping)
    assert await store.calls.get("call-2") is None
    assert await store.calls.create(a_call(2), CREATED, None) == (a_call(2), True)


async def test_opening_without_a_server(postgres: Postgres, postgres_url: str) -> None:
    """A store whose server is away cannot be opened, and says where it looked."""
    postgres.halt()
    try:
        with pytest.raises(StoreUnavailableError, match=str(postgres.port)) as refusal:
            open_database(postgres_url)
    finally:
        postgres.resume()
    assert "lab-secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("lab-secret", "wrong-secret", "password authentication failed"),
        ("/lab_", "/nowhere_", 'database "nowhere_[0-9]+" does not exist'),
    ],
)
def test_server_refuses_us(postgres_url: str, right: str, wrong: str, complaint: str) -> None:
    """A wrong password or a missing database is told in the server's words, without secrets."""
    with pytest.raises(StoreUnavailableError, match=complaint) as refusal:
        open_database(postgres_url.replace(right, wrong))
    assert "secret" not in str(refusal.value)


async def test_connection_ended_in_mid_transaction(store: Store, postgres_url: str) -> None:
    """Work whose connection is ended fails and leaves nothing; the next has a new connection."""
    server = find_place(postgres_url)

    def work(connection: Connection) -> None:
        connection.command("DELETE FROM calls")
        other = server.connect()
        terminate_others(other)
        other.close()
        connection.command("SELECT 1")

    with pytest.raises(StoreUnavailableError, match="57P01"):
        await store.database.write(work)
    assert await store.calls.get("call-1") == a_call()


@pytest.mark.parametrize("connections", [1, 3])
async def test_number_of_connections(postgres_url: str, connections: int) -> None:
    """A process has as many connections as it is told, however much comes at once."""

    def work(connection: Connection) -> int:
        connection.command("SELECT pg_sleep(0.02)")
        number: int = connection.command("SELECT pg_backend_pid()")
        return number

    async with open_store(postgres_url, connections=connections) as store:
        servers = await asyncio.gather(*(store.database.read(work) for _ in range(12)))
    assert len(set(servers)) <= connections
    assert connections == 1 or len(set(servers)) > 1


async def test_stalled_server(postgres_url: str, proxy: TcpProxy) -> None:
    """A server that says no more costs a request its deadline, and its thread no more than that."""
    server = find_place(through(proxy, postgres_url), connections=1)
    assert isinstance(server, PostgresServer)
    database = PostgresDatabase(server)
    lanes = database._lanes  # pyright: ignore[reportPrivateUsage]
    calls = StoredCalls(database)
    await calls.create(a_call(), CREATED, None)
    proxy.stall()
    lanes._deadline = 0.05  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(StoreBusyError, match="did not answer in time"):
        await calls.change("call-1", lambda call: (call, CREATED))
    lanes._deadline = 10.0  # pyright: ignore[reportPrivateUsage]
    proxy.resume()
    await eventually(lambda: calls.get("call-1"))
    assert await calls.events("call-1") == [CREATED]
    await database.close()


async def test_connection_cut_in_the_answer(postgres_url: str, proxy: TcpProxy) -> None:
    """A connection that is cut in mid-answer fails its request alone."""
    async with open_store(through(proxy, postgres_url)) as store:
        await store.calls.create(a_call(), CREATED, None)
        proxy.cut_after(20, "to client", reset=True)
        with pytest.raises(StoreUnavailableError):
            await store.calls.get("call-1")
        await eventually(lambda: store.calls.get("call-1"))


async def test_lock_that_is_held(
    store: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change waits for a lock within limits; reads do not wait at all."""
    monkeypatch.setattr(module, "LOCK_WAIT_MS", 20)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM calls FOR UPDATE")
        async with open_store(postgres_url) as second:
            with pytest.raises(StoreBusyError, match="55P03"):
                await second.calls.change("call-1", lambda call: (call, CREATED))
            assert await second.calls.get("call-1") == a_call()
        other.rollback()
    await store.calls.change("call-1", lambda call: (call, CREATED))


async def test_slow_statement(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes too long is ended by the server."""
    monkeypatch.setattr(module, "STATEMENT_MS", 20)
    async with open_store(postgres_url) as store:
        with pytest.raises(StoreBusyError, match="57014"):
            await store.database.read(lambda connection: connection.command("SELECT pg_sleep(9)"))
        await store.database.ping()


async def test_deadlock(store: Store) -> None:
    """Of two transactions in each other's way one is run again, and both succeed."""
    meeting = threading.Barrier(2)
    attempts: list[str] = []

    def work(first: str, second: str) -> Callable[[Connection], str]:
        def hold(connection: Connection) -> str:
            attempts.append(first)
            connection.hold(first)
            if len(attempts) <= 2:
                meeting.wait(10)
            connection.hold(second)
            return first

        return hold

    done = await asyncio.gather(
        store.database.write(work("a", "b")), store.database.write(work("b", "a"))
    )
    assert done == ["a", "b"]
    assert len(attempts) == 3


async def test_endless_conflict(store: Store) -> None:
    """A transaction that always loses is run five times and then refused."""
    attempts: list[int] = []

    def lose(connection: Connection) -> None:
        attempts.append(1)
        connection.command("INSERT INTO calls SELECT * FROM calls")

    with pytest.raises(StoreConflictError, match="23505") as conflict:
        await store.database.write(lose)
    assert len(attempts) == 5
    assert "call-1" not in str(conflict.value)


async def test_failed_work_changes_nothing(store: Store) -> None:
    """What the work raises comes back, and what it did is undone."""

    def work(connection: Connection) -> None:
        connection.command("DELETE FROM calls")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await store.database.write(work)
    assert await store.calls.get("call-1") == a_call()


async def test_refused_statement(store: Store) -> None:
    """A statement that the server refuses is refused in the store's words."""
    with pytest.raises(StoreRefusedError, match=r"does not exist \(42P01\)"):
        await store.database.read(lambda connection: connection.command("SELECT 1 FROM missing"))


async def test_text_that_cannot_be_stored(store: Store) -> None:
    """A row with a value that the server cannot take is refused as such."""
    with pytest.raises(StoreRefusedError, match="NUL"):
        await store.calls.create(replace(a_call(2), caller_id="a\0b"), CREATED, None)


async def test_read_only_server(store: Store, postgres_url: str) -> None:
    """A server that takes no changes, as a replica, is not ready."""
    await store.database.ping()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        order = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
        admin.execute(order.format(sql.Identifier(make_url(postgres_url).database or "")))
    async with open_store(postgres_url) as second:
        with pytest.raises(StoreUnavailableError, match="read-only"):
            await second.database.ping()
        with pytest.raises(StoreUnavailableError, match="25006"):
            await second.calls.create(a_call(2), CREATED, None)
        assert await second.calls.get("call-1") == a_call()


async def test_connections_are_bounded(store: Store, postgres_url: str) -> None:
    """However much is asked at once, a process has a fixed number of connections."""
    await asyncio.gather(*(store.calls.get("call-1") for _ in range(200)))
    with psycopg.connect(postgres_url) as other:
        row = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fastagi-server'"
            " AND datname = current_database()"
        ).fetchone()
    assert row is not None
    assert 1 <= row[0] <= 8


async def test_closed_store(postgres_url: str) -> None:
    """A closed store refuses, and its connections are gone."""
    async with open_store(postgres_url) as store:
        await store.database.ping()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await store.calls.get("call-1")
    with psycopg.connect(postgres_url) as other:
        row = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fastagi-server'"
            " AND datname = current_database()"
        ).fetchone()
    assert row == (0,)
