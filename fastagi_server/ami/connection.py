"""One connection to the manager interface: log in, ask, ping, close."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from panoramisk import Message
from panoramisk.actions import Action

from fastagi_server.ami.errors import (
    AmiLoginError,
    AmiMessageError,
    AmiRefusedError,
    AmiTooSlowError,
    AmiUnreachableError,
)
from fastagi_server.ami.protocol import ListAction, OneManager, Protocol, Receive

CLASSES = "system,call,security,user"
"""Classes of events asked for at login: those of dialplan/manager.conf."""

OPEN_SECONDS = 5.0
MAX_ACTIONS = 200
MAX_ITEMS = 50_000
"""Of a list: as many channels as no Asterisk holds."""

NOT_GREETED = "nobody greets as a manager interface does"
NOT_BOOTED = "no FullyBooted: Asterisk still starts, or the user lacks read = system"

T = TypeVar("T")

Fields = Mapping[str, str]
"""The headers of an action or of its answer. Of one that came twice, the first."""


class Connection:
    """An open connection. `lost` is done, with the reason, once it is over; then all is over."""

    def __init__(self, manager: OneManager, protocol: Protocol, action_seconds: float) -> None:
        self.lost = protocol.lost
        self._manager = manager
        self._protocol = protocol
        self._action_seconds = action_seconds

    async def login(self, username: str, secret: str) -> None:
        """Log in, once the peer has greeted: the secret is told to no other program.

        Raises `AmiLoginError` when refused, and what `action` raises.
        """
        await self._wait(self._protocol.greeted, self._action_seconds, NOT_GREETED)
        fields = {"Username": username, "Secret": secret, "Events": CLASSES}
        try:
            await self.action("Login", fields)
        except AmiRefusedError as error:
            raise AmiLoginError(error.message) from None

    async def wait_booted(self, seconds: float) -> None:
        """Wait for Asterisk to be complete. Raises `AmiTooSlowError` and `AmiUnreachableError`."""
        await self._wait(self._protocol.booted, seconds, NOT_BOOTED)

    async def action(self, name: str, fields: Fields | None = None) -> dict[str, str]:
        """Send an action and return its answer's headers; it is never sent again.

        Raises `AmiRefusedError`, `AmiTooSlowError`, `AmiUnreachableError`, and `AmiMessageError`
        for a field that would break the message.
        """
        message = await self._send(Action(_checked(name, fields)), name, as_list=False)
        return _accepted(name, cast("Message", message))

    async def listed(
        self, name: str, item: str, fields: Fields | None = None
    ) -> list[dict[str, str]]:
        """Send an action that is answered by events called `item`; their headers.

        Raises what `action` does, and `AmiMessageError` for more than 50,000 of them.
        """
        answer = await self._send(ListAction(_checked(name, fields), MAX_ITEMS), name, as_list=None)
        if isinstance(answer, Message):
            _accepted(name, answer)
            return []
        found = map(_headers, cast("list[Message]", answer))
        return [headers for headers in found if headers.get("Event") == item]

    async def keep_alive(self, seconds: float) -> None:
        """Ping every so many seconds. Raises `AmiTooSlowError` when no answer comes in as many."""
        while True:
            await asyncio.sleep(seconds)
            await self._send(Action({"Action": "Ping"}), "Ping", as_list=False, seconds=seconds)

    def close(self) -> None:
        """Close at once. May be called twice."""
        self._manager.close()

    async def _send(
        self, action: Action, name: str, *, as_list: bool | None, seconds: float | None = None
    ) -> object:
        """Send; panoramisk's answer is a message or, where it saw a list, many."""
        waiting = self._protocol.responses
        if self.lost.done():
            raise AmiUnreachableError(str(self.lost.result()))
        if len(waiting) >= MAX_ACTIONS:
            raise AmiTooSlowError(f"{name}: {MAX_ACTIONS} actions wait for their answers already")
        seconds = self._action_seconds if seconds is None else seconds
        answer = self._manager.send_action(action, as_list=as_list)
        try:
            return await self._first(answer, seconds, f"{name}: no answer in {seconds:g} s")
        finally:
            waiting.pop(action.id, None)
            answer.cancel()

    async def _wait(self, event: asyncio.Event, seconds: float, too_slow: str) -> None:
        happens = asyncio.ensure_future(event.wait())
        try:
            await self._first(happens, seconds, too_slow)
        finally:
            happens.cancel()

    async def _first(self, wanted: "asyncio.Future[T]", seconds: float, too_slow: str) -> T:
        """What is wanted, unless the connection or the time is over before."""
        either: list[asyncio.Future[Any]] = [wanted, self.lost]
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if wanted.done():
            return wanted.result()
        if self.lost.done():
            raise AmiUnreachableError(str(self.lost.result()))
        raise AmiTooSlowError(too_slow)


async def open_connection(
    host: str,
    port: int,
    *,
    receive: Receive,
    ssl_context: ssl.SSLContext | None,
    action_seconds: float,
) -> Connection:
    """Connect, within 5 s. Raises `AmiUnreachableError` and `AmiTooSlowError`."""
    manager = OneManager(
        loop=asyncio.get_running_loop(),
        host=host,
        port=port,
        ssl=ssl_context or False,
        protocol_factory=lambda: Protocol(receive),
    )
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            _, protocol = await manager.connect()
    except TimeoutError:
        manager.close()  # it may have come up in that moment
        raise AmiTooSlowError(f"{host}:{port} took no connection in {OPEN_SECONDS:g} s") from None
    except OSError as error:
        raise AmiUnreachableError(f"no connection to {host}:{port}: {error}") from error
    except BaseException:
        manager.close()
        raise
    return Connection(manager, cast("Protocol", protocol), action_seconds)


def _checked(name: str, fields: Fields | None) -> dict[str, str]:
    """The headers of an action, none of which makes another one."""
    headers = {"Action": name, **(fields or {})}
    try:
        text = "".join((*headers, *headers.values())).encode()
    except UnicodeEncodeError:
        raise AmiMessageError(f"{name} has a field that is no text") from None
    if b"\r" in text or b"\n" in text:
        raise AmiMessageError(f"{name} has a field of several lines")
    return headers


def _accepted(name: str, message: Message) -> dict[str, str]:
    headers = _headers(message)
    if not message.success:
        raise AmiRefusedError(name, headers.get("Message", "").strip() or "no reason given")
    return headers


def _headers(message: Message) -> dict[str, str]:
    """A message as Asterisk named its headers; panoramisk lists those that came twice."""
    return {
        name: value if isinstance(value, str) else str(value[0]) for name, value in message.items()
    }
