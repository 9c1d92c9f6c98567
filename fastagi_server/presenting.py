"""The part of the composition root that knows who is there.

event sockets, long polls, calls, telephones -> book -> channels -> event sockets
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fastagi_server.ami.errors import AmiError
from fastagi_server.api.socket_push import SocketPush
from fastagi_server.identities.extensions import Directory
from fastagi_server.presence.desk import PresenceDesk, open_presence
from fastagi_server.presence.feed import LiveEndpoints, PresenceFeed
from fastagi_server.store.opening import Store
from fastagi_server.supervising import Watch
from fastagi_server.telemetry.measures import Measures

UNUSED = frozenset({"Down", "Ringing"})
"""States of channels that leave Asterisk's device state at NOT_INUSE or RINGING."""


@dataclass(frozen=True, slots=True)
class Presenting:
    """Who is there, and the ways to tell them something."""

    desk: PresenceDesk
    push: SocketPush
    directory: Directory
    measures: Measures

    def feed(self, store: Store, watch: Watch | None) -> PresenceFeed:
        """What keeps the book true to the telephone system."""
        return PresenceFeed(
            self.desk.book,
            store.calls,
            self.push,
            directory=self.directory,
            measures=self.measures,
            live_endpoints=None if watch is None else _live_endpoints(watch),
        )


def make_presenting(
    directory: Directory, measures: Measures, users: Iterable[str] = ()
) -> Presenting:
    """Nobody is there yet. `directory` knows whose telephones are; `users` are known already."""
    desk = open_presence(measures=measures, directory=directory)
    desk.book.introduce(users)
    return Presenting(desk, SocketPush(desk.book, measures), directory, measures)


def _live_endpoints(watch: Watch) -> LiveEndpoints:
    async def endpoints() -> Collection[str] | None:
        """The endpoints of all channels in use; None without the manager interface."""
        try:
            channels = await watch.link.channels()
        except AmiError:
            return None
        used = (each.channel for each in channels if each.channel.state not in UNUSED)
        return {channel.name.rpartition("-")[0] for channel in used}

    return endpoints
