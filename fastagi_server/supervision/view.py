"""Which calls have a channel, for the upkeep of calls, where supervision knows better."""

from collections.abc import Sequence

from fastagi_server.calls.models import Call
from fastagi_server.stasis.switchboard import Switchboard
from fastagi_server.stasis.upkeep import ChannelView, left_behind
from fastagi_server.supervision.supervision import Supervision


class SupervisedView:
    """A `ChannelView` that misses no channel while supervision ends the calls of those that go.

    While it sees nothing, `other` looks instead, where there is one.
    """

    def __init__(
        self, supervision: Supervision, switchboard: Switchboard | None, other: ChannelView | None
    ) -> None:
        self._supervision = supervision
        self._switchboard = switchboard
        self._other = other

    async def unseen(self, calls: Sequence[Call]) -> tuple[set[str], set[str]]:
        """See ChannelView."""
        if self._other is not None and not self._supervision.is_watching:
            return await self._other.unseen(calls)
        if self._switchboard is None:
            return set(), set()
        led = {live.call_id for live in self._switchboard.calls}
        return led, left_behind(calls, self._switchboard)
