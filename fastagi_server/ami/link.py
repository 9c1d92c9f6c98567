"""The link to the manager interface of one Asterisk, kept up.

link = AmiLink(host="127.0.0.1", port=5038, username=..., secret=..., on_event=..., ...)
tasks.create_task(link.run())
channels = await link.channels()
"""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fastagi_server.ami.errors import (
    AmiError,
    AmiLoginError,
    AmiRefusedError,
    AmiUnreachableError,
)
from fastagi_server.ami.events import Bridge, Event
from fastagi_server.ami.feed import EventFeed, Owner
from fastagi_server.ami.snapshots import (
    AsteriskRun,
    ShownChannel,
    ShownContact,
    read_bridges,
    read_channels,
    read_contacts,
)
from fastagi_server.supervise import UP, LinkStatus, StandAsideError, Supervisor
from fastagi_server.telemetry.measures import Measures

if TYPE_CHECKING:
    from fastagi_server.ami.connection import Connection

REFUSED = "authentication refused"
REFUSED_SECONDS = 10.0
"""Between two logins with a secret that was refused: more of them look like an attack."""

PING_SECONDS = 5.0
"""Between two pings, and for the answer to each."""
ACTION_SECONDS = 5.0
BOOT_SECONDS = 30.0
NO_CONTACTS = "No Contacts found"
LAST_EVENTS_SECONDS = 5.0
"""For what came before a connection was lost to reach the owner."""


class AmiLink:
    """One connection after another to `host`:`port`, until `run` is cancelled.

    Callbacks are those of `feed.Owner`. `state` is connecting, up, lost, stopped, or
    authentication refused: then the login is tried again every 5 to 10 s. Actions work while there
    is a connection, within `on_connected` too, and raise `AmiUnreachableError` at other times;
    what was sent when a connection is lost fails, and is never sent again.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        secret: str,
        on_event: Callable[[Event], None],
        on_connected: Callable[[AsteriskRun], Awaitable[None]],
        on_lost: Callable[[str], None],
        measures: Measures,
        ssl_context: ssl.SSLContext | None = None,
        name: str = "ami",
        ping_seconds: float = PING_SECONDS,
        action_seconds: float = ACTION_SECONDS,
        boot_seconds: float = BOOT_SECONDS,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._address = host, port
        self._login = username, secret
        self._owner = Owner(on_event, on_connected, on_lost)
        self._measures = measures
        self._ssl_context = ssl_context
        self._name = name
        self._ping_seconds = ping_seconds
        self._action_seconds = action_seconds
        self._boot_seconds = boot_seconds
        self._connection: Connection | None = None
        self._started = ""
        self._status = LinkStatus(name, _reporter(name, measures))
        self._supervisor = Supervisor(
            self._status, self._attempt, expected=(AmiError,), uniform=uniform
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

    async def action(self, name: str, fields: Mapping[str, str] | None = None) -> dict[str, str]:
        """Send an action; the headers of its answer. It is sent once, whatever happens.

        Raises `AmiRefusedError`, `AmiTooSlowError` after 5 s, `AmiUnreachableError` without a
        connection, and `AmiMessageError` for a field with a line's end.
        """
        return await self._connected().action(name, fields)

    async def channels(self) -> list[ShownChannel]:
        """Every live channel. Raises what `action` does."""
        return read_channels(await self._connected().listed("CoreShowChannels", "CoreShowChannel"))

    async def bridges(self) -> list[Bridge]:
        """Every live bridge. Raises what `action` does."""
        return read_bridges(await self._connected().listed("BridgeList", "BridgeListItem"))

    async def contacts(self) -> list[ShownContact]:
        """Every address at which a PJSIP endpoint can be reached. Raises what `action` does."""
        return await _contacts(self._connected())

    def _connected(self) -> "Connection":
        if self._connection is None:
            raise AmiUnreachableError(
                self.last_error or "no connection to the manager interface yet"
            )
        return self._connection

    async def _attempt(self, up: Callable[[], None]) -> None:
        # panoramisk takes memory that a service without AMI, and its start, can do without
        from fastagi_server.ami.connection import open_connection  # noqa: PLC0415

        feed = EventFeed(self._name, self._owner, self._measures)
        host, port = self._address
        connection = await open_connection(
            host,
            port,
            receive=feed.receive,
            ssl_context=self._ssl_context,
            action_seconds=self._action_seconds,
        )
        try:
            run = await self._enter(connection)
            self._connection = connection
            await self._serve(connection, feed, run, up)
        finally:
            self._connection = None
            connection.close()

    async def _enter(self, connection: "Connection") -> AsteriskRun:
        """Log in, wait for Asterisk to be complete, and see which run of it this is."""
        try:
            await connection.login(*self._login)
        except AmiLoginError as error:
            raise StandAsideError(str(error), state=REFUSED, seconds=REFUSED_SECONDS) from None
        await connection.wait_booted(self._boot_seconds)
        status = await connection.action("CoreStatus")
        settings = await connection.action("CoreSettings")
        started = f"{status.get('CoreStartupDate')} {status.get('CoreStartupTime')}"
        return AsteriskRun(
            version=settings.get("AsteriskVersion", ""),
            system=settings.get("SystemName", ""),
            started=started,
            is_new=self._started not in {"", started},
        )

    async def _serve(
        self, connection: "Connection", feed: EventFeed, run: AsteriskRun, up: Callable[[], None]
    ) -> None:
        """Hand on events until the connection is lost, and then those that came before that."""

        def came_up() -> None:
            self._started = run.started
            up()

        handing = asyncio.create_task(feed.run(run, came_up), name=f"{self._name}-events")
        pinging = asyncio.create_task(
            connection.keep_alive(self._ping_seconds), name=f"{self._name}-ping"
        )
        reason = "stopped"
        try:
            await _end_of(connection, feed, handing, pinging)
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise
        finally:
            for task in (handing, pinging):
                task.cancel()
            await asyncio.gather(handing, pinging, return_exceptions=True)
            feed.tell_lost(reason)


async def _end_of(
    connection: "Connection",
    feed: EventFeed,
    handing: "asyncio.Task[None]",
    pinging: "asyncio.Task[None]",
) -> None:
    """Wait until one of the three ends, and for the last events. Raises why it ended."""
    watched: list[asyncio.Future[Any]] = [handing, pinging, connection.lost]
    ended, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    if handing in ended:
        await handing
    feed.end()
    await asyncio.wait({handing}, timeout=LAST_EVENTS_SECONDS)
    if pinging in ended:
        await pinging
    raise connection.lost.result()


async def _contacts(connection: "Connection") -> list[ShownContact]:
    try:
        listed = await connection.listed("PJSIPShowContacts", "ContactList")
    except AmiRefusedError as error:
        if error.message != NO_CONTACTS:
            raise
        return []
    return read_contacts(listed)


def _reporter(name: str, measures: Measures) -> Callable[[str], None]:
    """Counts a link's states in the measures."""
    measures.ami_link_up.set(0.0, name)

    def report(state: str) -> None:
        measures.ami_link_up.set(1.0 if state == UP else 0.0, name)
        measures.ami_link_changes.add(name, state)

    return report
