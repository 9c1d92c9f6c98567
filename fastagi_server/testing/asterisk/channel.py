"""The one channel that runs AGI(), and what the PBX around it has."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fastagi_server.testing.asterisk.database import Database
from fastagi_server.testing.asterisk.signal import Signal

UP = 6
"""Channel state "Up"; 4 is "Ring", an unanswered call."""

DEFAULT_HANGUP_CAUSE = 0
"""What HANGUPCAUSE says until somebody gives a cause."""


Application = Callable[["Channel", str], Awaitable[int]]
"""A dialplan application for EXEC: channel and options in, return value out (-1 on hang-up)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subroutine:
    """A dialplan subroutine for GOSUB: how long it runs and what `Return()` gives back.

    One that does not complete leaves by another way than `Return()`.
    """

    seconds: float = 0.0
    returns: str = ""
    completes: bool = True


@dataclass(slots=True, kw_only=True)
class Pbx:
    """The surroundings of a channel.

    `sounds` gives the length of prompts in seconds; a prompt that is not named there exists and is
    over at once, unless it is in `missing_files`, where recordings fail too. SAY commands last
    `say_seconds`. `subroutines` are named "context,extension,priority"; `applications` add to the
    built-in ones of `applications.py`, in any case of letters. `labels` are the priority labels
    that SET PRIORITY knows. `recognises` is what the speech engine hears, `None` for no engine, as
    in an Asterisk as it is packaged. Every duration, time-outs too, is divided by `speed`.
    """

    sounds: Mapping[str, float] = field(default_factory=dict[str, float])
    missing_files: Collection[str] = ()
    say_seconds: float = 0.0
    subroutines: Mapping[str, Subroutine] = field(default_factory=dict[str, Subroutine])
    applications: Mapping[str, Application] = field(default_factory=dict[str, Application])
    labels: Mapping[str, int] = field(default_factory=dict[str, int])
    recognises: str | None = None
    database: Database = field(default_factory=Database)
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Why something that takes time stopped, after how many seconds, and by which key."""

    why: Literal["time", "key", "hangup", "command"]
    seconds: float
    key: str = ""


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel as AGI sees it. `priority` is where AGI() stands; the dialplan goes on after it.

    `variables` are all channel variables; a key may also be a function with its argument, as in
    "CHANNEL(rtp,all_mes)", which answers for that function then. `written` are those that the
    server set, under the names it used. `speech` says whether SPEECH CREATE succeeded. `keys` are
    pressed keys nobody has read yet: on a real channel a key pressed between two commands is lost,
    here it waits for the next command.
    """

    name: str
    unique_id: str
    linked_id: str
    caller_number: str
    caller_name: str
    dialled_number: str
    account_code: str
    context: str
    extension: str
    priority: int
    pbx: Pbx
    language: str = "en"
    state: int = UP
    hangup_cause: int = DEFAULT_HANGUP_CAUSE
    hung_up: bool = False
    keys: str = ""
    speech: bool = False
    variables: dict[str, str] = field(default_factory=dict[str, str])
    written: dict[str, str] = field(default_factory=dict[str, str])
    signal: Signal = field(default_factory=Signal)
    auto_hangup: asyncio.TimerHandle | None = None

    def hang_up(self, cause: int | None = None) -> None:
        """End the call, as the caller does by hanging up; `cause` is a Q.850 number."""
        self.hung_up = True
        if cause is not None:
            self.hangup_cause = cause
        self.signal.notify()

    def press(self, keys: str) -> None:
        """Press DTMF keys; they wait until a command reads them."""
        self.keys += keys
        self.signal.notify()

    def hang_up_in(self, seconds: float) -> None:
        """Hang up after `seconds`, replacing an earlier order; 0 or less withdraws it."""
        if self.auto_hangup is not None:
            self.auto_hangup.cancel()
            self.auto_hangup = None
        if seconds > 0:
            self.auto_hangup = asyncio.get_running_loop().call_later(seconds, self.hang_up)

    async def wait(
        self,
        seconds: float | None,
        *,
        keys: str = "",
        interrupted: Callable[[], bool] = bool,
    ) -> Stop:
        """Let `seconds` pass (`None`: no limit) by the PBX's clock, or less on a key or a hang-up.

        Keys pressed that are not among `keys` are used up and ignored. `interrupted` is asked
        whether a new command cuts this one short; the default says never.
        """
        clock = asyncio.get_running_loop().time
        start = clock()
        pressed = ""

        def stopped() -> bool:
            nonlocal pressed
            pressed = pressed or self._next_key(keys)
            return bool(pressed) or self.hung_up or interrupted()

        # Even what lasts no time lets a hang-up in that was ordered before it.
        await asyncio.sleep(0)
        limit = None if seconds is None else seconds / self.pbx.speed
        if not await self.signal.until(stopped, limit):
            return Stop("time", seconds or 0.0)
        elapsed = (clock() - start) * self.pbx.speed
        if seconds is not None:
            elapsed = min(elapsed, seconds)
        if pressed:
            return Stop("key", elapsed, pressed)
        return Stop("hangup" if self.hung_up else "command", elapsed)

    def _next_key(self, wanted: str) -> str:
        while self.keys:
            key, self.keys = self.keys[0], self.keys[1:]
            if key in wanted:
                return key
        return ""
