"""Carries out what a live call orders: in Asterisk over ARI, in its record through the journal."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial

import structlog

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import (
    AriConflictError,
    AriError,
    AriNotFoundError,
    AriUnreachableError,
)
from fastagi_server.calls import legs
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.journal import PBX, CallJournal
from fastagi_server.calls.live import LiveCall
from fastagi_server.calls.models import EndFacts, EventKind
from fastagi_server.calls.orders import bridge_id
from fastagi_server.calls.transitions import Trigger
from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint
from fastagi_server.store.errors import StoreError

TRIES = 3
"""How often a request is begun that cannot reach Asterisk."""

ENTER_SECONDS = 2.0
"""How long a channel that was just made may take into its application."""

LATE_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Before each new attempt to record what the store did not take: a server restarts meanwhile."""

VIDEO_FORMATS = "opus,g722,ulaw,alaw,vp8,vp9,h264"
"""What a phone is offered with pictures, of which its endpoint allows some. Without a word of it
Asterisk offers sound alone."""

CALL_ID_VARIABLE = "SGE_CALL_ID"
"""The channel variable that names the call; ari.conf has it in every event."""

SESSION_HEADER = "X-SGE-Session"
"""The header of an INVITE, to a browser or from one, that names the call."""

BROWSER_FORMATS = "opus,ulaw"

SYSTEM_VARIABLE = "SGE_SYSTEM"
"""The global of the dialplan that names its PBX, and under which it registers calls."""

_log = structlog.stdlib.get_logger("calls")


class CallEffects:
    """Carries out effects for one Asterisk; `app` is the application that owns all legs.

    A phone rings for `ring_seconds` at most. Effects of one call are carried out one after
    another; whoever calls sees to that. The gateway of `browsers` is told which call it is.
    """

    def __init__(
        self,
        ari: AriClient,
        journal: CallJournal,
        *,
        app: str,
        ring_seconds: int,
        browsers: BrowserEndpoint = NO_BROWSERS,
    ) -> None:
        self._browsers = browsers
        self._ari = ari
        self._journal = journal
        self._app = app
        self._ring_seconds = ring_seconds
        self._entering: dict[str, asyncio.Future[None]] = {}

    def entered(self, channel_id: str) -> None:
        """A channel is in the application now."""
        waiting = self._entering.get(channel_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def carry_out(self, live: LiveCall, effects: Iterable[legs.Effect]) -> None:
        """Carry out effects in order, and what follows when one of them fails.

        What cannot be recorded holds up no phone. Of a call that is over it is recorded later, for
        some seconds; else the record lacks it.
        """
        pending, late = deque(effects), list[legs.Effect]()
        while pending:
            effect = pending.popleft()
            try:
                await _surely(partial(self._carry_out_one, live, effect))
            except AriError as error:
                _log.warning(
                    "effect_failed",
                    call=live.call_id,
                    effect=type(effect).__name__,
                    reason=str(error),
                )
                pending.extend(_after_failure(live, effect, error))
            except StoreError as error:
                _log.warning("record_not_written", call=live.call_id, reason=str(error))
                if live.is_ended:
                    late.append(effect)
        for effect in late:
            await self._write_late(live, effect)

    async def dial(
        self, call_id: str, order: legs.Dial, recorded: Awaitable[object] | None = None
    ) -> None:
        """Make a channel and, when `recorded` is there, ring it.

        After an error, of Asterisk or of `recorded`, there is no such channel.
        """
        try:
            await self._dial(call_id, order, recorded)
        except Exception:
            await self._remove(order.channel_id)
            raise

    async def watch(self, *channel_ids: str) -> None:
        """Have the events of channels that we did not make to their very end.

        Only that has the true hang-up cause. When one of them is gone none is watched.
        """
        await self._ari.subscribe(self._app, *(f"channel:{each}" for each in channel_ids))

    async def _carry_out_one(self, live: LiveCall, effect: legs.Effect) -> None:
        match effect:
            case legs.Note() | legs.Rate() | legs.LogTransfer():
                await self._write(live.call_id, effect)
            case legs.Dial():
                await self._dial_unless_over(live, effect)
            case legs.OpenBridge():
                await self._open_bridge(live.call_id)
            case legs.Join(channel_id):
                await self._ari.add_to_bridge(bridge_id(live.call_id), channel_id)
            case legs.HangUp(channel_id, cause):
                await self._ari.hang_up(channel_id, cause=cause)
            case legs.CloseBridge():
                await self._ari.destroy_bridge(bridge_id(live.call_id))
            case _:
                await self._signal(effect)

    async def _write_late(self, live: LiveCall, effect: legs.Effect) -> None:
        for pause in LATE_SECONDS:
            await asyncio.sleep(pause)
            try:
                await self._carry_out_one(live, effect)
            except StoreError as error:
                _log.warning("record_not_written", call=live.call_id, reason=str(error))
            else:
                return

    async def _write(self, call_id: str, effect: legs.Note | legs.Rate | legs.LogTransfer) -> None:
        match effect:
            case legs.Note():
                await self._journal.note(call_id, effect)
            case legs.Rate(figures):
                facts = EndFacts(quality=figures)
                await self._journal.note(call_id, legs.Note(Trigger.END, datetime.now(UTC), facts))
            case legs.LogTransfer(participant, to):
                known = {"participant": participant, "to": to}
                told = {name: value for name, value in known.items() if value}
                await self._journal.log(call_id, EventKind.TRANSFERRED, PBX, told)

    async def _signal(
        self, effect: legs.Answer | legs.Ring | legs.StopRinging | legs.Park | legs.Unpark
    ) -> None:
        ari = self._ari
        match effect:
            case legs.Answer(channel_id):
                await ari.answer(channel_id)
            case legs.Ring(channel_id):
                await ari.ring(channel_id)
            case legs.StopRinging(channel_id):
                await ari.ring_stop(channel_id)
            case legs.Park(channel_id):
                await ari.start_music(channel_id)
                await ari.mute(channel_id)
            case legs.Unpark(channel_id):
                await ari.stop_music(channel_id)
                await ari.unmute(channel_id)

    async def _dial_unless_over(self, live: LiveCall, order: legs.Dial) -> None:
        if live.is_ended:
            raise AriNotFoundError(404, "the call ended before this leg was made")
        await self.dial(live.call_id, order)

    async def _dial(
        self, call_id: str, order: legs.Dial, recorded: Awaitable[object] | None
    ) -> None:
        ari, channel_id = self._ari, order.channel_id
        entering = self._entering[channel_id] = asyncio.get_running_loop().create_future()
        variables = {CALL_ID_VARIABLE: call_id}
        is_browser = self._browsers.user_of(order.endpoint) is not None
        if is_browser:
            variables[f"PJSIP_HEADER(add,{SESSION_HEADER})"] = call_id
        if order.announces:
            variables["CONNECTEDLINE(num,i)"] = order.announces.partition("/")[2].partition("@")[0]
        try:
            create = partial(
                ari.create_channel,
                order.endpoint,
                app=self._app,
                channel_id=channel_id,
                originator=order.caller_id or "",
                variables=variables,
                formats=_formats(order, is_browser=is_browser),
            )
            await _surely(create)
            # Whoever makes a channel for an application subscribes that to it, so nothing has to be
            # asked for here: its end comes with its cause, even from a phone that refuses at once.
            async with asyncio.timeout(ENTER_SECONDS):
                await entering
            if order.is_joined:
                await _surely(partial(ari.add_to_bridge, bridge_id(call_id), channel_id))
            if recorded is not None:
                await recorded
            caller, seconds = order.caller_id or "", self._ring_seconds
            await _surely(partial(ari.dial, channel_id, caller=caller, timeout=seconds))
        except TimeoutError:
            raise AriConflictError(409, "the channel did not enter its application") from None
        finally:
            del self._entering[channel_id]

    async def _open_bridge(self, call_id: str) -> None:
        try:
            await self._ari.create_bridge(bridge_id(call_id), name=call_id)
        except AriConflictError:
            return  # ours from before a restart

    async def _remove(self, channel_id: str) -> None:
        try:
            await self._ari.hang_up(channel_id)
        except AriError as error:
            _log.warning("channel_left_behind", unique_id=channel_id, reason=str(error))


def _formats(order: legs.Dial, *, is_browser: bool) -> str:
    """What is offered; nothing where Asterisk knows by itself, from who calls or the endpoint."""
    if order.with_video:
        return VIDEO_FORMATS
    return BROWSER_FORMATS if is_browser and order.caller_id is None else ""


async def _surely(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask again what was never sent: Asterisk lets few connections wait to be accepted at once."""
    for _ in range(TRIES - 1):
        try:
            await ask()
        except AriUnreachableError:
            continue
        return
    await ask()


def _after_failure(live: LiveCall, effect: legs.Effect, error: AriError) -> list[legs.Effect]:
    """What a failed effect means; a channel that is gone reports that by itself."""
    now = datetime.now(UTC)
    match effect:
        case legs.Dial(channel_id):
            return live.gone(channel_id, Cause.ABSENT, now)
        case legs.Answer() | legs.Join() | legs.OpenBridge():
            if isinstance(error, AriNotFoundError):
                return []
            return live.end(now, Cause.FAILURE)
        case _:
            return []
