"""Channels: names that sockets listen on, and the fan-out of what is said there.

user:{id}, chat:{id}             of that user alone
presence:{id}, presence:all      of somebody's state, of everybody's
group:{id}                       of a group; whoever knows its name may listen
system                           of the service
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from fastagi_server.identities.identity import is_name
from fastagi_server.presence.frames import Frame
from fastagi_server.presence.ports import Listener
from fastagi_server.telemetry.measures import Measures

SYSTEM = "system"
EVERYBODY = "presence:all"

MAX_CHANNELS_PER_SOCKET = 200
MAX_NAME = 300
"""Characters of a channel's name: its kind and a user id."""

AT_ONCE = 200
"""Listeners that are told before others have their turn on the loop, some 5 ms."""

MAX_WAITING = 1000
"""Frames for many listeners that may wait for their turn."""

_OWN = frozenset({"user", "chat"})
_OPEN = frozenset({"presence", "group"})


class ChannelError(Exception):
    """A channel cannot be listened on; the text is for the client and repeats nothing of his."""


def check_channel(name: str, user: str) -> None:
    """Raise ChannelError for a channel that is none, or that this user may not listen on."""
    if name == SYSTEM:
        return
    kind, colon, subject = name.partition(":")
    if len(name) > MAX_NAME or not colon or kind not in _OWN | _OPEN or not is_name(subject):
        raise ChannelError("There is no such channel")
    if kind in _OWN and subject != user:
        raise ChannelError("The channel is somebody else's")


class Channels:
    """Who listens where. A frame for many is told in slices, each frame after the one before."""

    def __init__(self, *, measures: Measures, at_once: int = AT_ONCE) -> None:
        self._measures = measures
        self._at_once = at_once
        self._listeners: dict[str, dict[Listener, None]] = {}
        self._names: dict[Listener, set[str]] = {}
        self._waiting: deque[tuple[Frame, Sequence[Listener]]] = deque()
        self._told = 0

    def __len__(self) -> int:
        return len(self._listeners)

    def subscribe(self, name: str, listener: Listener) -> None:
        """Listen on a channel; twice is once. Raises ChannelError for one channel too many."""
        names = self._names.setdefault(listener, set())
        if name not in names and len(names) >= MAX_CHANNELS_PER_SOCKET:
            raise ChannelError(f"A socket may listen on {MAX_CHANNELS_PER_SOCKET} channels")
        names.add(name)
        self._listeners.setdefault(name, {})[listener] = None

    def unsubscribe(self, name: str, listener: Listener) -> None:
        """Listen no longer; harmless where nobody listened."""
        self._names.get(listener, set()).discard(name)
        listeners = self._listeners.get(name, {})
        listeners.pop(listener, None)
        if not listeners:
            self._listeners.pop(name, None)

    def leave(self, listener: Listener) -> None:
        """Listen nowhere any more."""
        for name in tuple(self._names.get(listener, ())):
            self.unsubscribe(name, listener)
        self._names.pop(listener, None)

    def publish(self, frame: Frame, *names: str) -> int:
        """Tell whoever listens on one of these channels, once; soon, and in order. How many."""
        found = [self._listeners[name] for name in names if name in self._listeners]
        listeners = tuple(dict.fromkeys(each for channel in found for each in channel))
        if not listeners:
            return 0
        if len(self._waiting) >= MAX_WAITING:
            self._measures.drops.add("presence_frame", amount=len(listeners))
            return 0
        self._waiting.append((frame, listeners))
        if len(self._waiting) == 1:
            self._tell_some()
        return len(listeners)

    def _tell_some(self) -> None:
        """Tell one slice, and leave the next to a later turn of the loop."""
        room = self._at_once
        while room and self._waiting:
            frame, listeners = self._waiting[0]
            some = listeners[self._told : self._told + room]
            for listener in some:
                listener.tell(frame)
            room -= len(some)
            self._told += len(some)
            if self._told == len(listeners):
                self._waiting.popleft()
                self._told = 0
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._tell_some)
