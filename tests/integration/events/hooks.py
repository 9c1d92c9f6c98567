"""A target of webhooks on loopback that does what a test says."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Hook:
    """`answer` is what is sent back, None for nothing ever; `got` are headers and events."""

    port: int = 0
    scheme: str = "http"
    answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    got: asyncio.Queue[tuple[dict[str, str], bytes]] = field(
        default_factory=asyncio.Queue[tuple[dict[str, str], bytes]]
    )

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    def refuse(self, status: int, *headers: str) -> None:
        """Answer with this status from now on."""
        lines = [f"HTTP/1.1 {status} x", "Content-Length: 0", *headers, "", ""]
        self.answer = "\r\n".join(lines).encode()

    async def event(self) -> Any:
        """The next event that was delivered."""
        _, body = await self.got.get()
        return json.loads(body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = dict(line.lower().split(": ", 1) for line in lines)
                headers |= {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                self.got.put_nowait((headers, body))
                if self.answer is None:
                    await reader.read()
                    return
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def open_hook(context: ssl.SSLContext | None = None) -> AsyncGenerator[Hook]:
    """A target that takes everything."""
    hook = Hook(scheme="http" if context is None else "https")
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0, ssl=context)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()
