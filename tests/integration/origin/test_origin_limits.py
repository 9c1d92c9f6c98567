"""Deadlines, cancellation and the limit on connections, over real sockets."""

import asyncio

import httpx
import pytest
from origin_stage import body_of, get, transport_to

from fastagi_server.telemetry.measures import Measures
from tests.integration.scripted_server import (
    CALL,
    Peer,
    always,
    answer,
    once,
    scripted_server,
)


async def test_deadline_ends_the_request_and_the_connection() -> None:
    """A late answer finds nobody, least of all the next request."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        await peer.request()
        await peer.say(answer()[:20])
        await peer.closed_by_client()
        gone.set()

    async with scripted_server(script) as server, transport_to(server) as transport:
        await get(transport, server)
        with pytest.raises(httpx.ReadTimeout):
            await get(transport, server, 0.02)
        await gone.wait()
        assert await body_of(await get(transport, server)) == CALL


async def test_timeouts_of_httpx_are_kept() -> None:
    """Used through `httpx.AsyncClient`, its read timeout counts."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.say(answer())
        await peer.request()
        await peer.closed_by_client()

    async with (
        scripted_server(script) as server,
        transport_to(server) as transport,
        httpx.AsyncClient(transport=transport) as client,
    ):
        await client.get(server.url)
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=0.02)


async def test_cancelled_request_closes_its_connection() -> None:
    """A caller who hangs up leaves no half-read connection behind."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            asked.set()
            await peer.closed_by_client()
            gone.set()
            return
        await peer.say(answer())

    async with scripted_server(script) as server, transport_to(server) as transport:
        task = asyncio.create_task(get(transport, server))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()
        assert (await get(transport, server)).status_code == 201


async def test_connections_are_limited_and_handed_on() -> None:
    """More requests than connections wait their turn, in order, and all are served."""
    async with (
        scripted_server(always(answer())) as server,
        transport_to(server, limit=2, max_waiting=100) as transport,
    ):
        responses = await asyncio.gather(*(get(transport, server) for _ in range(50)))
    assert {response.status_code for response in responses} == {201}
    assert server.connections == 2


async def test_waiting_requests_outlive_closing_connections() -> None:
    """When every answer closes its connection, those who wait open new ones."""
    async with (
        scripted_server(once(answer(CALL, 201, "Connection: close"))) as server,
        transport_to(server, limit=2, max_waiting=100) as transport,
    ):
        responses = await asyncio.gather(*(get(transport, server) for _ in range(20)))
    assert {response.status_code for response in responses} == {201}
    assert server.connections == 20


async def test_too_many_waiting_requests_are_refused_at_once() -> None:
    """The queue has an end, and whoever is turned away is counted."""
    measures, served = Measures(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(answer())
        await always(answer())(peer)

    async with (
        scripted_server(script) as server,
        transport_to(server, measures=measures, limit=1, max_waiting=1) as transport,
    ):
        first = asyncio.create_task(get(transport, server))
        second = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout):
            await get(transport, server)
        served.set()
        assert (await first).status_code == (await second).status_code == 201
    assert measures.drops.values == {("sge_request_waiting",): 1.0}


async def test_waiting_ends_at_the_deadline() -> None:
    """Waiting for a connection is part of the time of a request, and harms nobody else."""
    served = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(answer())
        await always(answer())(peer)

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        first = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout):
            await get(transport, server, 0.02)
        cancelled = asyncio.create_task(get(transport, server))
        third = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        cancelled.cancel()
        served.set()
        assert (await first).status_code == (await third).status_code == 201
    assert server.connections == 1


@pytest.mark.parametrize("cancel_turns", range(8))
async def test_slots_survive_cancellation_at_any_moment(cancel_turns: int) -> None:
    """Whenever the one who waits gives up, the connection is there for the next."""
    async with scripted_server(always(answer())) as server, transport_to(server, limit=1) as wire:
        first = asyncio.create_task(get(wire, server))
        second = asyncio.create_task(get(wire, server))
        for _ in range(cancel_turns):
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert (await get(wire, server)).status_code == 201
        assert (await get(wire, server)).status_code == 201


@pytest.mark.parametrize("closes", [False, True])
async def test_what_is_granted_in_the_last_moment_goes_on(
    monkeypatch: pytest.MonkeyPatch, *, closes: bool
) -> None:
    """A connection, or the right to open one, given to a request just cancelled is not lost."""
    data = answer(CALL, 201, "Connection: close") if closes else answer()
    served = asyncio.Event()
    tasks: list[asyncio.Task[httpx.Response]] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(data)
        if not closes:
            await always(data)(peer)

    def grant_and_cancel(waiter: asyncio.Future[object], granted: object) -> bool:
        waiter.set_result(granted)
        if not tasks[1].cancelling():
            tasks[1].cancel()
        return True

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        monkeypatch.setattr("fastagi_server.origin.transport._grant", grant_and_cancel)
        tasks += [asyncio.create_task(get(transport, server)) for _ in range(3)]
        await asyncio.sleep(0)
        served.set()
        first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(second, asyncio.CancelledError)
    assert isinstance(first, httpx.Response)
    assert isinstance(third, httpx.Response)
    assert server.connections == (2 if closes else 1)


async def test_warming_opens_one_connection() -> None:
    """A connection opened in advance serves the first request."""
    async with scripted_server(always(answer())) as server, transport_to(server) as transport:
        deadline = asyncio.get_running_loop().time() + 5.0
        await transport.warm(deadline=deadline)
        await transport.warm(deadline=deadline)
        await get(transport, server)
    assert server.connections == 1


async def test_warming_a_busy_pool_does_nothing() -> None:
    """With every connection in use there is nothing to warm."""
    served = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await served.wait()
        await peer.say(answer())

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        first = asyncio.create_task(get(transport, server))
        await asyncio.sleep(0)
        await transport.warm(deadline=asyncio.get_running_loop().time() + 5.0)
        served.set()
        assert (await first).status_code == 201


async def test_closing_fails_what_is_under_way() -> None:
    """When the program ends, requests and those who wait for a connection end with it."""
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.closed_by_client()

    async with scripted_server(script) as server, transport_to(server, limit=1) as transport:
        first = asyncio.create_task(get(transport, server))
        second = asyncio.create_task(get(transport, server))
        await asked.wait()
        await transport.aclose()
        first_end, second_end = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(first_end, httpx.ReadError)
        assert isinstance(second_end, httpx.ConnectError)
        with pytest.raises(httpx.ConnectError):
            await get(transport, server)
