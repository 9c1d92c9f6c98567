"""The book of who is there: event sockets, long polls, what users say of themselves, their calls.

    said offline > said do_not_disturb > on a call: busy > said otherwise > there: online > offline

What somebody says of himself counts until he is gone, ten seconds after his last socket or poll,
so that a page that is loaded anew keeps it; others see him offline meanwhile. Who never had either
counts as what he said last.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from fastagi_server.identities.extensions import Directory, ExtensionTable
from fastagi_server.presence.frames import Frame
from fastagi_server.presence.models import Presence, Status, TooManySocketsError
from fastagi_server.presence.ports import Listener
from fastagi_server.telemetry.measures import Measures

GONE_SECONDS = 10.0
"""How long somebody may be away, while a page is loaded anew, before he has left."""

MAX_SOCKETS_PER_USER = 20
MAX_USERS = 100_000
"""Users that the book knows; of more, those are forgotten who were offline longest."""

NO_DIRECTORY = ExtensionTable({})

Subject = TypeVar("Subject")

_log = structlog.stdlib.get_logger("presence")


@dataclass(frozen=True, slots=True)
class _Said:
    status: Status
    message: str | None
    device: str | None


@dataclass(slots=True)
class _Entry:
    shown: Presence
    said: _Said | None = None
    listeners: dict[Listener, None] = field(default_factory=dict[Listener, None])
    polls: int = 0
    has_polled: bool = False
    occupied_by: frozenset[str] = frozenset()
    gone_timer: asyncio.TimerHandle | None = None

    @property
    def is_there(self) -> bool:
        """Whether he can be told something now: between two polls he is there too."""
        return bool(self.listeners) or self.polls > 0 or self.has_polled

    @property
    def is_idle(self) -> bool:
        """Whether nothing but what he once said would be lost with him."""
        return not (self.is_there or self.occupied_by or self.gone_timer)


class PresenceBook:
    """Everybody's presence, on one event loop.

    `directory` knows whose telephone an endpoint is. `on_change` callbacks hear each change of how
    somebody is seen, `on_gone` callbacks who has left: no socket and no poll for `gone_seconds`.
    Callbacks run on the loop and must not wait; what one raises is logged.
    """

    def __init__(
        self,
        *,
        measures: Measures,
        directory: Directory = NO_DIRECTORY,
        gone_seconds: float = GONE_SECONDS,
        max_sockets_per_user: int = MAX_SOCKETS_PER_USER,
        max_users: int = MAX_USERS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._measures = measures
        self._directory = directory
        self._gone_seconds = gone_seconds
        self._max_sockets_per_user = max_sockets_per_user
        self._max_users = max_users
        self._now = now
        self._entries: dict[str, _Entry] = {}
        self._idle: dict[str, None] = {}
        self._on_change: list[Callable[[Presence], None]] = []
        self._on_gone: list[Callable[[str], None]] = []
        self._is_closed = False

    def on_change(self, callback: Callable[[Presence], None]) -> None:
        """Call back whenever somebody is seen otherwise than before."""
        self._on_change.append(callback)

    def on_gone(self, callback: Callable[[str], None]) -> None:
        """Call back with each user who has left."""
        self._on_gone.append(callback)

    def close(self) -> None:
        """Wait for nobody any more: whoever goes from now on goes with the service."""
        self._is_closed = True
        for entry in self._entries.values():
            _stop_timer(entry)

    def introduce(self, users: Iterable[str]) -> None:
        """Know users who have yet to come."""
        for user in users:
            self._show(user, self._entry(user))

    # -- sockets and polls ------------------------------------------------------------------------

    def enter(self, user: str, listener: Listener) -> None:
        """A user has opened an event socket. Raises TooManySocketsError."""
        entry = self._entry(user)
        if len(entry.listeners) >= self._max_sockets_per_user:
            raise TooManySocketsError
        entry.listeners[listener] = None
        self._arrive(user, entry)

    def leave(self, user: str, listener: Listener) -> None:
        """An event socket is closed. Leaving twice is harmless."""
        entry = self._entries.get(user)
        if entry is not None and listener in entry.listeners:
            del entry.listeners[listener]
            entry.has_polled = False
            self._depart(user, entry)

    @contextmanager
    def polling(self, user: str) -> Generator[None]:
        """While a long poll of the user waits, and until he is gone, he is there."""
        entry = self._entry(user)
        entry.polls += 1
        self._arrive(user, entry)
        try:
            yield
        finally:
            entry.polls -= 1
            entry.has_polled = True
            self._depart(user, entry)

    def expect(self, user: str) -> None:
        """Somebody ought to come: he is gone if he does not, as one who was there just now."""
        self._depart(user, self._entry(user))

    def is_reachable(self, user: str) -> bool:
        """Whether the user can be told something now, by a socket or a poll."""
        entry = self._entries.get(user)
        return entry is not None and entry.is_there

    def has_sockets(self, user: str) -> bool:
        """Whether the user has an event socket."""
        entry = self._entries.get(user)
        return entry is not None and bool(entry.listeners)

    def push(self, user: str, kind: str, fields: Mapping[str, Any]) -> int:
        """Send a frame to every socket of a user, of any number of them; how many there were."""
        return self.tell(user, Frame(kind, fields))

    def tell(self, user: str, frame: Frame) -> int:
        """Send this frame to every socket of a user; how many there were."""
        entry = self._entries.get(user)
        if entry is None:
            return 0
        listeners = tuple(entry.listeners)
        for listener in listeners:
            listener.tell(frame)
        return len(listeners)

    # -- states -----------------------------------------------------------------------------------

    def get(self, user: str) -> Presence | None:
        """How the user is seen, None for one of whom nothing was ever known."""
        entry = self._entries.get(user)
        return None if entry is None else entry.shown

    def known(self, limit: int) -> Sequence[Presence]:
        """At most so many of all that are known, by name."""
        names = sorted(self._entries)[:limit]
        return [self._entries[name].shown for name in names]

    def say(
        self, user: str, status: Status, message: str | None = None, device: str | None = None
    ) -> Presence:
        """A user says how he wants to be seen; how he is seen now, which a call may prevent."""
        entry = self._entry(user)
        entry.said = _Said(status, message, device)
        self._show(user, entry)
        return entry.shown

    def device_state(self, endpoint: str, in_use: bool) -> None:  # noqa: FBT001 - the fixed port
        """A telephone, such as PJSIP/1001, is in use or not: its users are on a call or not."""
        for user in self._directory.identities_of(endpoint) - {endpoint}:
            self.occupy(user, endpoint, is_on=in_use)

    def occupy(self, user: str, by: str, *, is_on: bool) -> None:
        """A user is on a call, or no longer; `by` names the call or the telephone."""
        if not is_on and user not in self._entries:
            return
        entry = self._entry(user)
        entry.occupied_by = entry.occupied_by | {by} if is_on else entry.occupied_by - {by}
        self._show(user, entry)

    # -- inside -----------------------------------------------------------------------------------

    def _entry(self, user: str) -> _Entry:
        entry = self._entries.get(user)
        if entry is None:
            if len(self._entries) >= self._max_users:
                self._forget_one()
            shown = Presence(user, Status.OFFLINE, self._now())
            entry = self._entries[user] = _Entry(shown)
        return entry

    def _forget_one(self) -> None:
        """Forget who was away longest; those who are there are bounded by their sockets."""
        oldest = next(iter(self._idle), None)
        if oldest is not None:
            del self._entries[oldest], self._idle[oldest]
            self._measures.drops.add("presence")

    def _arrive(self, user: str, entry: _Entry) -> None:
        _stop_timer(entry)
        entry.gone_timer = None
        self._show(user, entry)

    def _depart(self, user: str, entry: _Entry) -> None:
        if entry.listeners or entry.polls or self._is_closed:
            return
        _stop_timer(entry)
        loop = asyncio.get_running_loop()
        entry.gone_timer = loop.call_later(self._gone_seconds, self._go, user, entry)
        self._show(user, entry)

    def _go(self, user: str, entry: _Entry) -> None:
        entry.gone_timer = None
        entry.has_polled = False
        entry.said = None
        self._show(user, entry)
        for callback in self._on_gone:
            _call(callback, user)

    def _show(self, user: str, entry: _Entry) -> None:
        self._idle.pop(user, None)
        if entry.is_idle:
            self._idle[user] = None
        status = _status(entry)
        said = entry.said if status is not Status.OFFLINE else None
        message, device = (None, None) if said is None else (said.message, said.device)
        shown = entry.shown
        if (status, message, device) == (shown.status, shown.message, shown.device):
            return
        entry.shown = Presence(user, status, self._now(), message, device)
        for callback in self._on_change:
            _call(callback, entry.shown)


def _status(entry: _Entry) -> Status:
    said = entry.said.status if entry.said is not None else None
    is_seen = entry.is_there or (said is not None and entry.gone_timer is None)
    if said is Status.OFFLINE:
        return said
    if said is Status.DO_NOT_DISTURB and is_seen:
        return said
    if entry.occupied_by:
        return Status.BUSY
    return (said or Status.ONLINE) if is_seen else Status.OFFLINE


def _stop_timer(entry: _Entry) -> None:
    if entry.gone_timer is not None:
        entry.gone_timer.cancel()


def _call(callback: Callable[[Subject], None], subject: Subject) -> None:
    try:
        callback(subject)
    except Exception:  # noqa: BLE001 - one listener's fault is not the others'
        _log.exception("presence_callback_failed")
