"""Routes of a test's own on channels of a real Asterisk."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Route
from fastagi_server.registration.models import Registration
from fastagi_server.routes import ROUTES
from fastagi_server.service import open_service
from fastagi_server.settings import load_settings
from lab.asterisk import Asterisk
from lab.processes import wait_until

DEADLINE_SECONDS = 10

DIALPLAN = """
[sessions]
exten => live,1,Answer()
 same => n,AGI(${SGE_AGI}/test)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => unanswered,1,AGI(${SGE_AGI}/test)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => twice,1,AGI(${SGE_AGI}/test)
 same => n,AGI(${SGE_AGI}/look)
 same => n,Set(AFTER=${AGISTATUS})
 same => n,Wait(60)
exten => lines,1,Set(LINES=${URIDECODE(one%0a200 result=1 (two)%0aHANGUP%0a)})
 same => n,Goto(live,2)
exten => elsewhere,1,NoOp()
 same => n,Set(AFTER=elsewhere)
 same => n,Wait(60)

[sky-genesis-voip]
exten => 5000,1,Goto(sessions,live,1)

[sessions-h]
exten => live,1,Answer()
exten => h,1,AGI(${SGE_AGI}/test)
 same => n,Verbose(0,H SAW ${AGISTATUS} ${RESULT} ${SGE_STATUS})
"""


class Stage:
    """An Asterisk whose calls ask one route, and what the test looks at."""

    def __init__(self, pbx: Asterisk) -> None:
        self.pbx = pbx
        self.begin = len(pbx.log())

    @property
    def log(self) -> str:
        """What Asterisk has logged since the stage was set."""
        return self.pbx.log()[self.begin :]

    async def dial(self, extension: str = "live", context: str = "sessions") -> str:
        """Let a channel run an extension; its id."""
        return await asyncio.to_thread(
            lambda: self.pbx.control.originate(
                "Local/wait@lab", context=context, extension=extension
            )
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something on the side of Asterisk."""
        came = await asyncio.to_thread(wait_until, condition, DEADLINE_SECONDS)
        assert came, self.log[-3000:]

    async def logged(self, pattern: str) -> None:
        """Wait until Asterisk has logged something."""
        await asyncio.to_thread(lambda: self.pbx.wait_for_log(pattern, after=self.begin))

    async def read(self, channel: str, name: str) -> str:
        """A variable of a live channel."""
        return await asyncio.to_thread(self.pbx.control.variable, channel, name)

    async def after(self, channel: str) -> str:
        """AGISTATUS once AGI() has returned."""
        await self.until(lambda: self.pbx.control.variable(channel, "AFTER") != "")
        return await self.read(channel, "AFTER")

    async def hang_up(self, channel: str) -> None:
        """End a channel."""
        await asyncio.to_thread(self.pbx.control.hang_up, channel)


Open = Callable[..., Awaitable[Stage]]


@asynccontextmanager
async def open_sessions(pbx: Asterisk, tmp_path: Path) -> AsyncGenerator[Open]:
    """What serves routes beside ours, with settings, and gives a stage for them."""
    async with AsyncExitStack() as stack:

        async def start(*tests: Route, **settings: object) -> Stage:
            chosen = load_settings(
                fastagi_listen=("127.0.0.1:0",),
                fastagi_state_dir=tmp_path,
                port=0,
                **settings,
            )
            service = await stack.enter_async_context(
                open_service(chosen, routes=(*ROUTES, *tests))
            )
            port = service.agi.addresses[0][1]
            await asyncio.to_thread(pbx.set_global, "SGE_AGI", f"agi://127.0.0.1:{port}")
            return Stage(pbx)

        yield start
        for channel in pbx.control.channels():
            pbx.control.hang_up(channel["id"])
        assert await asyncio.to_thread(pbx.wait_idle)


def registration(channel: AgiChannel) -> Registration:
    """The call of a channel."""
    request = channel.request
    return Registration(
        system="lab",
        unique_id=request.unique_id,
        channel=request.channel,
        linked_id="",
        context="",
        extension=request.extension,
        caller_number="",
        caller_name="",
        participants=("SIP/1001",),
        call_type="audio",
    )
