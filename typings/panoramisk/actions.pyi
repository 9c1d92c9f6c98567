import asyncio
from collections.abc import Mapping
from typing import Any

from panoramisk.message import Message

class Action:
    responses: list[Message]
    future: asyncio.Future[Any]
    def __init__(self, fields: Mapping[str, str]) -> None: ...
    @property
    def id(self) -> str: ...
    def add_message(self, message: Message) -> bool | None: ...
