"""What event sockets are about, in one: the book of who is there, and the channels."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastagi_server.identities.extensions import Directory
from fastagi_server.presence.announcing import CHANGE_SECONDS, Announcer
from fastagi_server.presence.book import GONE_SECONDS, NO_DIRECTORY, PresenceBook
from fastagi_server.presence.budget import BroadcastBudget
from fastagi_server.presence.channels import EVERYBODY, SYSTEM, Channels
from fastagi_server.presence.frames import Frame, presence_frame, system_status
from fastagi_server.presence.models import Presence
from fastagi_server.telemetry.measures import Measures


@dataclass(frozen=True, slots=True)
class PresenceDesk:
    """The book, the channels that tell what changes in it, and the limits of what one user tells.

    `announcer` paces the changes of his state, `budget` what he says to others.
    """

    book: PresenceBook
    channels: Channels
    announcer: Announcer
    budget: BroadcastBudget

    def broadcast(self, user: str, frame: Frame, *names: str) -> bool:
        """Tell on these channels what a user says; False when he has said too much to too many."""
        if not self.budget.allows(user):
            return False
        self.budget.charge(user, self.channels.publish(frame, *names))
        return True

    def close(self) -> None:
        """Say on `system` that the service stops; whoever leaves from now on is not gone."""
        self.channels.publish(system_status("stopping", datetime.now(UTC)), SYSTEM)
        self.book.close()
        self.announcer.close()


def open_presence(
    *,
    measures: Measures,
    directory: Directory = NO_DIRECTORY,
    gone_seconds: float = GONE_SECONDS,
    change_seconds: float = CHANGE_SECONDS,
    budget: BroadcastBudget | None = None,
) -> PresenceDesk:
    """A desk where nobody is yet.

    A change of a user is told at most once in `change_seconds`; `budget` is what each user may have
    told to others, by default the usual one. The book itself shows each change at once.
    """
    book = PresenceBook(measures=measures, directory=directory, gone_seconds=gone_seconds)
    channels = Channels(measures=measures)

    def tell(presence: Presence) -> int:
        return channels.publish(presence_frame(presence), f"presence:{presence.user}", EVERYBODY)

    announcer = Announcer(tell, change_seconds=change_seconds)
    book.on_change(announcer.hear)
    if budget is None:
        budget = BroadcastBudget(measures=measures)
    return PresenceDesk(book, channels, announcer, budget)
