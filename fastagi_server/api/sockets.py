"""Event sockets over WebSocket: /ws/auth.

A credential comes as `?token=`, as `Authorization: Bearer`, as `X-API-Key`, or, from a browser that
does not want it in an address, as a subprotocol: `Sec-WebSocket-Protocol: sge-voip, bearer.<it>`.
Certificates count for nothing here: a browser sends its own along with any page's request, while a
page of somebody else has no token, wherever it is from. So any origin may connect.

A client that is not let in gets HTTP's status and the usual body. To a browser's page a failed
handshake says nothing, so with an `Origin` it is let in and closed with 4000 + that status:

    4401  no credential, a wrong one, or one that has expired, also in mid-connection
    4403  a credential that may not call      4429  too many sockets of the user, or requests
    4503  too many sockets, or credentials cannot be checked now
    1001  the service stops                   1008  too many frames, or too many unreadable ones
    1009  a frame is too large                1011  no sign of life
"""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs

import structlog
from starlette.types import Message, Receive, Scope, Send

from fastagi_server.api.authentication import Authenticator
from fastagi_server.api.context import TRANSPORT
from fastagi_server.api.errors import REQUEST_ID, RETRY_LATER, ApiError, refusal
from fastagi_server.api.limits import Limits
from fastagi_server.api.socket import Socket
from fastagi_server.api.socket_frames import FrameError, read_frame
from fastagi_server.api.socket_orders import obey
from fastagi_server.identities.identity import Identity
from fastagi_server.presence.desk import PresenceDesk
from fastagi_server.presence.frames import notification
from fastagi_server.presence.models import TooManySocketsError
from fastagi_server.store.errors import StoreError
from fastagi_server.telemetry.measures import Measures

PATH = "/ws/auth"
SUBPROTOCOL = "sge-voip"
BEARER = "bearer."

MAX_CONNECTIONS = 10_000
MAX_FIELDS = 20
"""Of the query."""

LOOK_AGAIN_SECONDS = 60.0
"""How long a socket outlives the revocation of its API key."""

EXPIRED = "token expired"

_APPLICATION_CLOSE = 4000
_UNAUTHORIZED = 401
_log = structlog.stdlib.get_logger("api")


class Sockets:
    """The ASGI application of event sockets; `max_connections` at a time."""

    def __init__(
        self,
        *,
        desk: PresenceDesk,
        authenticator: Authenticator,
        limits: Limits,
        measures: Measures,
        max_connections: int = MAX_CONNECTIONS,
        look_again_seconds: float = LOOK_AGAIN_SECONDS,
    ) -> None:
        self._desk = desk
        self._authenticator = authenticator
        self._limits = limits
        self._measures = measures
        self._max_connections = max_connections
        self._look_again_seconds = look_again_seconds
        self._open = 0

    def __len__(self) -> int:
        return self._open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""
        await receive()  # websocket.connect
        socket = Socket(send, transport=scope.get(TRANSPORT), measures=self._measures)
        entered: Identity | None = None
        try:
            self._check_room()
            identity = await self._identify(scope)
            self._limits.count_request(identity)
            self._enter(identity, socket)
            entered = identity
            await self._serve(scope, receive, send, socket, identity)
        except (ApiError, StoreError) as reason:
            await _refuse(scope, receive, send, reason)
        except OSError:
            pass  # the client has gone
        except Exception:  # noqa: BLE001 - whatever it was, the others go on
            _log.exception("socket_failed")
            with suppress(OSError):
                await send({"type": "websocket.close", "code": 1011, "reason": "internal error"})
        finally:
            if entered is not None:
                self._leave(entered, socket)
            await socket.finish()

    def _check_room(self) -> None:
        if self._open >= self._max_connections:
            raise ApiError(503, "There are too many sockets", code="busy", headers=RETRY_LATER)

    async def _identify(self, scope: Scope) -> Identity:
        client = scope.get("client")
        identity = await self._authenticator.identify(
            list(_credentials(scope)), address=client[0] if client else ""
        )
        if not identity.may_call:
            raise ApiError(403, "The credential has no scope for calls")
        if identity.expires_at is not None and identity.expires_at <= time.time():
            raise ApiError(401, EXPIRED)
        return identity

    def _enter(self, identity: Identity, socket: Socket) -> None:
        self._check_room()  # others may have come while this one was checked
        words = f"You are {identity.name}, connection {uuid.uuid4()}"
        socket.tell(notification("Connected", words))
        try:
            self._desk.book.enter(identity.name, socket)
        except TooManySocketsError:
            raise ApiError(
                429, "The user has too many sockets", code="too_many_sockets", headers=RETRY_LATER
            ) from None
        self._open += 1
        self._measures.sockets_open.set(self._open)

    def _leave(self, identity: Identity, socket: Socket) -> None:
        self._open -= 1
        self._measures.sockets_open.set(self._open)
        self._desk.channels.leave(socket)
        self._desk.book.leave(identity.name, socket)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, socket: Socket, identity: Identity
    ) -> None:
        await send(_acceptance(scope))
        socket.open()
        if identity.expires_at is None:
            await self._hear_by_key(scope, receive, socket, identity)
            return
        loop = asyncio.get_running_loop()
        left = identity.expires_at - time.time()
        expiry = loop.call_later(left, socket.close, _close_code(401), EXPIRED)
        try:
            while await self._hear(receive, socket, identity):
                pass
        finally:
            expiry.cancel()

    async def _hear_by_key(
        self, scope: Scope, receive: Receive, socket: Socket, identity: Identity
    ) -> None:
        """Hear a client whose credential does not end by itself, and look at that now and then."""
        loop = asyncio.get_running_loop()
        is_there = True
        while is_there:
            try:
                async with asyncio.timeout_at(loop.time() + self._look_again_seconds):
                    while is_there:
                        is_there = await self._hear(receive, socket, identity)
            except TimeoutError:
                await self._look_again(scope, socket)

    async def _look_again(self, scope: Scope, socket: Socket) -> None:
        try:
            await self._identify(scope)
        except ApiError as reason:
            if reason.status_code == _UNAUTHORIZED:
                socket.close(_close_code(_UNAUTHORIZED), reason.detail)
        except StoreError as reason:
            _log.warning("socket_not_checked", reason=str(reason))

    async def _hear(self, receive: Receive, socket: Socket, identity: Identity) -> bool:
        """Take one message; False when the client has gone."""
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return False
        try:
            form, order = read_frame(message.get("text") or message.get("bytes") or "")
        except FrameError as fault:
            self._measures.socket_frames.add("unreadable")
            socket.complain(fault)
            return True
        self._measures.socket_frames.add(type(order).__name__)
        socket.form = form
        obey(order, identity.name, socket, self._desk)
        return True


def _credentials(scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    """Headers that prove somebody: those that were sent, else made of subprotocol or query."""
    sent = [each for each in scope["headers"] if each[0] in {b"authorization", b"x-api-key"}]
    if sent:
        yield from sent
        return
    offered = (each for each in scope.get("subprotocols", ()) if each.startswith(BEARER))
    named = _query(scope).get(b"token", ())
    token = next(offered, "").removeprefix(BEARER).encode() or next(iter(named), b"")
    if token:
        yield b"authorization", b"Bearer " + token


def _query(scope: Scope) -> dict[bytes, list[bytes]]:
    try:
        return parse_qs(scope.get("query_string", b""), max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}


def _close_code(status: int) -> int:
    return _APPLICATION_CLOSE + status


def _acceptance(scope: Scope) -> Message:
    """The upgrade: a browser that offers subprotocols fails one that chooses none of them."""
    chosen = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
    return {"type": "websocket.accept", "subprotocol": chosen}


async def _refuse(
    scope: Scope, receive: Receive, send: Send, reason: ApiError | StoreError
) -> None:
    """Say no, in the way that this client can read."""
    if isinstance(reason, StoreError):
        _log.error("store_failed", reason=str(reason))
        reason = ApiError(503, headers=RETRY_LATER)
    if any(name == b"origin" for name, _ in scope["headers"]):
        await send(_acceptance(scope))
        code = _close_code(reason.status_code)
        await send({"type": "websocket.close", "code": code, "reason": reason.detail})
        return
    scope[REQUEST_ID] = uuid.uuid4().hex
    await refusal(scope, reason)(scope, receive, send)
