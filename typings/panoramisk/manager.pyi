import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

Connected: TypeAlias = tuple[asyncio.Transport, AMIProtocol]

class Manager:
    protocol: AMIProtocol | None
    authenticated: bool
    reconnect_timeout: int
    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop | None = ...,
        host: str = ...,
        port: int = ...,
        username: str = ...,
        secret: str = ...,
        ssl: ssl.SSLContext | Literal[False] = ...,
        protocol_factory: Callable[[], AMIProtocol] = ...,
        ping_delay: int = ...,
        ping_interval: int = ...,
        reconnect_timeout: int = ...,
        forgetable_actions: tuple[str, ...] = ...,
        on_login: Callable[[Manager], None] = ...,
        on_disconnect: Callable[[Manager, object], None] = ...,
    ) -> None: ...
    def connect(self) -> asyncio.Task[Connected]: ...
    def connection_made(self, f: asyncio.Task[Connected]) -> None: ...
    def connection_lost(self, exc: object) -> None: ...
    def ping(self) -> None: ...
    def send_action(
        self, action: Action | Mapping[str, str], as_list: bool | None = ...
    ) -> asyncio.Future[Any]: ...
    def register_event(
        self, pattern: str, callback: Callable[[Manager, Message], object]
    ) -> Callable[[Manager, Message], object]: ...
    def close(self) -> None: ...
