"""The link to one Asterisk: its event socket, opened by us and kept open.

    link = AriLink(client, applications=("sky-genesis-voip",), on_event=switchboard.receive, ...)
    tasks.create_task(link.run())

`listener` is the other direction, where Asterisk opens the socket.
"""

import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from fastagi_server.ari.address import events_url
from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError, AriUnreachableError
from fastagi_server.ari.events import Event
from fastagi_server.ari.feed import (
    CLOSE_SECONDS,
    MAX_MESSAGE_BYTES,
    OPEN_SECONDS,
    PING_SECONDS,
    EventFeed,
    link_reporter,
)
from fastagi_server.ari.requester import basic_credentials
from fastagi_server.supervise import LinkStatus, Supervisor
from fastagi_server.telemetry.measures import Measures


class AriLink:
    """One event socket for `applications`, which live as long as it is open.

    Callbacks are those of `feed.EventFeed`. `subscriptions` are event sources, such as
    `endpoint:PJSIP`, that the first application is subscribed to before `on_connected`. `state` is
    connecting, up, lost, stopped, or replaced: then somebody else serves our application, and the
    link leaves it to him for a minute or two.
    """

    def __init__(
        self,
        client: AriClient,
        *,
        applications: tuple[str, ...],
        on_event: Callable[[Event], None],
        on_connected: Callable[[], Awaitable[None]],
        on_lost: Callable[[str], None],
        measures: Measures,
        subscriptions: tuple[str, ...] = (),
        subscribe_all: bool = False,
        name: str = "ari",
        ping_seconds: float = PING_SECONDS,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = client
        self._applications = applications
        self._subscriptions = subscriptions
        self._url = events_url(client.base_url, applications, subscribe_all=subscribe_all)
        self._ping_seconds = ping_seconds
        self._feed = EventFeed(
            name,
            on_event=on_event,
            on_connected=on_connected,
            on_lost=on_lost,
            measures=measures,
        )
        self._status = LinkStatus(name, link_reporter(name, measures))
        self._supervisor = Supervisor(
            self._status, self._attempt, expected=(AriError,), uniform=uniform
        )

    @property
    def state(self) -> str:
        """How the link stands."""
        return self._status.state

    @property
    def since(self) -> datetime:
        """Since when it stands so, in UTC."""
        return self._status.since

    @property
    def last_error(self) -> str:
        """Why the link was not up the last time that it was not; empty when it always was."""
        return self._status.last_error

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        await self._supervisor.run()

    async def _attempt(self, up: Callable[[], None]) -> None:
        client = self._client
        login = basic_credentials(client.username, client.password)
        try:
            async with connect(
                self._url,
                additional_headers={"Authorization": login},
                ssl=self._tls(),
                proxy=None,
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=self._ping_seconds,
                ping_timeout=self._ping_seconds,
                max_size=MAX_MESSAGE_BYTES,
            ) as socket:
                if self._subscriptions:
                    await client.subscribe(self._applications[0], *self._subscriptions)
                await self._feed.serve(socket, up)
        except (OSError, WebSocketException) as error:
            raise AriUnreachableError(f"no event socket: {error}") from error

    def _tls(self) -> ssl.SSLContext | None:
        return self._client.ssl_context if self._url.startswith("wss:") else None
