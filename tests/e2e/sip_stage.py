"""A SIP user agent of ours and its owner, against whatever speaks SIP over TCP."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from gateway_caller import OFFER

from fastagi_server.sip.agent import SipAgent
from fastagi_server.sip.desk import Credentials
from fastagi_server.sip.events import Ended, Invitation, LegState, Refused, SipEvent
from fastagi_server.sip.legs import SipLeg
from fastagi_server.sip.limits import Limits
from fastagi_server.telemetry.measures import Measures
from lab.asterisk import Asterisk

WAIT_SECONDS = 15.0

ANSWER = OFFER.replace("a=setup:actpass", "a=setup:active")

E = TypeVar("E", bound=SipEvent)


def on_hold(sdp: str) -> str:
    """Return an offer's next version, which puts the far end on hold."""
    return sdp.replace(" 2 IN IP4", " 3 IN IP4", 1).replace("a=sendrecv", "a=sendonly")


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LegOwner:
    """Has legs, remembers what it was told of each, and can wait for it."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.told: dict[str, list[SipEvent]] = {}
        self.invited: list[tuple[SipLeg, Invitation]] = []
        self._news = asyncio.Event()

    def hear(self, leg: SipLeg, event: SipEvent) -> None:
        """Take an event."""
        self.told.setdefault(leg.id, []).append(event)
        self._news.set()

    def be_invited(self, leg: SipLeg, invitation: Invitation) -> None:
        """Take a call."""
        leg.on_event = self.hear
        self.invited.append((leg, invitation))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, which is looked at when news come and now and then."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._news.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self._news.wait()
                except TimeoutError:
                    continue

    def events(self, leg: SipLeg) -> list[SipEvent]:
        """Return all that was told of a leg."""
        return self.told.get(leg.id, [])

    async def hears(self, leg: SipLeg, kind: type[E], number: int = 1) -> E:
        """Wait for the so-many-th event of a kind, and return it."""

        def heard() -> list[E]:
            return [event for event in self.events(leg) if isinstance(event, kind)]

        await self.until(lambda: len(heard()) >= number)
        return heard()[number - 1]

    async def sees_the_end(self, leg: SipLeg) -> SipEvent:
        """Wait for the one event that ends a leg, and return it."""
        await self.until(lambda: leg.state is LegState.ENDED and bool(self.events(leg)))
        await self.until(lambda: isinstance(self.events(leg)[-1], (Refused, Ended)))
        ends = [event for event in self.events(leg) if isinstance(event, (Refused, Ended))]
        assert len(ends) == 1
        return ends[0]

    async def is_invited(self) -> tuple[SipLeg, Invitation]:
        """Wait for a call of the far end's."""
        await self.until(lambda: bool(self.invited))
        return self.invited.pop(0)


@asynccontextmanager
async def serving(
    owner: LegOwner,
    port: int,
    *,
    listen: int = 0,
    token: str = "",
    credentials: Credentials | None = None,
    limits: Limits | None = None,
    needs_link: bool = True,
) -> AsyncGenerator[SipAgent]:
    """Run an agent whose peer listens on a port of loopback, until the block is left.

    It begins once the connection is up; where the agent `needs_link` not, once it has tried, as it
    listens by then.
    """
    agent = SipAgent(
        asterisk=("127.0.0.1", port),
        listen=("127.0.0.1", listen or free_port()),
        on_invite=owner.be_invited,
        measures=owner.measures,
        fields=(("X-SGE-Gateway", token),) if token else (),
        credentials=credentials,
        limits=limits,
    )
    running = asyncio.create_task(agent.run())
    try:
        await owner.until(
            lambda: (
                agent.state == "up" or running.done() or (not needs_link and agent.last_error != "")
            )
        )
        yield agent
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def calling(agent: SipAgent, owner: LegOwner, number: str, sdp: str = OFFER) -> SipLeg:
    """Call a number as a user."""
    return agent.invite(
        number=number,
        user="alice",
        display_name='Alice "Al" Liddell',
        session="0f8e2c1a-1111-4222-8333-444455556666",
        sdp=sdp,
        on_event=owner.hear,
    )


def gateway_of(asterisk: Asterisk) -> tuple[int, int, str]:
    """Return Asterisk's SIP port, the port it calls browsers at, and the token."""
    return asterisk.ports.sip, asterisk.ports.gateway, asterisk.passwords["gateway"]
