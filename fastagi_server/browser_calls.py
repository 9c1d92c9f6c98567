"""The part of the composition root that takes calls from browsers, and to them.

clerk -> session register -> SIP agent -> gateway -> exchange
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastagi_server.calls.journal import PBX, CallJournal
from fastagi_server.events.models import CALL_ENDED, Event
from fastagi_server.gateway.clerk import Clerk
from fastagi_server.gateway.gateway import Gateway
from fastagi_server.gateway.ports import LedCalls, Mail
from fastagi_server.gateway.register import SessionRegister
from fastagi_server.presence.book import PresenceBook
from fastagi_server.settings import Settings, split_address
from fastagi_server.sip.agent import SipAgent
from fastagi_server.sip.events import Invitation
from fastagi_server.sip.legs import SipLeg
from fastagi_server.store.opening import Store
from fastagi_server.telemetry.measures import Measures

TOKEN_HEADER = "X-SGE-Gateway"  # noqa: S105 - the name of a header
LOST = "lost"


@dataclass(frozen=True, slots=True)
class BrowserCalls:
    """The gateway and what it runs on."""

    gateway: Gateway
    agent: SipAgent
    register: SessionRegister
    clerk: Clerk

    async def run(self) -> None:
        """Carry calls until cancelled; those that are up go on without us."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.agent.run(), name="sip-agent")
            tasks.create_task(self.register.run(), name="gateway-register")
            tasks.create_task(self.clerk.run(), name="gateway-clerk")

    def hear(self, event: Event) -> None:
        """Take an event of the stream: of those that have ended the legs end too."""
        if event.type == CALL_ENDED and event.call is not None:
            by_user = event.data.get("actor") != PBX
            is_lost = event.data.get("reason") == LOST
            self.register.call_ended(event.call, by_user=by_user, is_lost=is_lost)


@asynccontextmanager
async def open_browser_calls(
    settings: Settings,
    store: Store,
    measures: Measures,
    *,
    mail: Mail,
    book: PresenceBook,
    led: LedCalls,
) -> AsyncGenerator[BrowserCalls]:
    """The gateway that the settings describe, with the calls of the last run; not running yet.

    Leaving ends no call that is up. Raises StoreError, and SettingsError for the token's file.
    """
    journal = CallJournal(records=store.calls, measures=measures)
    clerk = Clerk(journal, store.dialogs, measures=measures)
    register = SessionRegister(clerk, mail=mail, pages=book, led=led, measures=measures)

    def invited(leg: SipLeg, invitation: Invitation) -> None:
        gateway.invited(leg, invitation)

    agent = SipAgent(
        asterisk=split_address(settings.sge_gateway_sip),
        listen=split_address(settings.sge_gateway_listen),
        on_invite=invited,
        measures=measures,
        fields=((TOKEN_HEADER, settings.gateway_token),),
    )
    gateway = Gateway(
        agent,
        register,
        mail=mail,
        pages=book,
        led=led,
        journal=journal,
    )
    book.on_gone(register.gone)
    await register.restore(agent, store.dialogs, journal)
    try:
        yield BrowserCalls(gateway, agent, register, clerk)
    finally:
        await gateway.close()
        register.close()
        await clerk.close()
