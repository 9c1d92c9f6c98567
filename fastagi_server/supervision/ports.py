"""What supervision needs: the book of registered calls, and a look at the PBX."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from fastagi_server.ami.events import Bridge
from fastagi_server.ami.snapshots import ShownChannel, ShownContact
from fastagi_server.calls.models import CallStatus
from fastagi_server.calls.sighting import Report, Sighting

IsLed = Callable[[str], bool]
"""Whether a Stasis application of ours leads the channel with this unique id."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A channel's call, and the status that its record has."""

    call_id: str
    status: CallStatus


class CallBook(Protocol):
    """The registered calls of one PBX. Every method may raise `BookError`.

    `systems` are the names under which the dialplan registers calls of that PBX.
    """

    async def find(
        self, channels: Collection[Sighting], systems: Collection[str]
    ) -> Mapping[str, Registered]:
        """Those of the channels that are registered, by unique id."""
        ...

    async def active(self, systems: Collection[str]) -> Mapping[str, Registered]:
        """All calls that have not ended, by their channels' unique ids."""
        ...

    async def write(self, report: Report) -> None:
        """Tell the record."""
        ...


class BookError(Exception):
    """The book cannot be read or written now."""


class PbxLook(Protocol):
    """What is there in Asterisk now. Every method may raise `AmiError`."""

    async def channels(self) -> list[ShownChannel]:
        """Every live channel."""
        ...

    async def bridges(self) -> list[Bridge]:
        """Every live bridge."""
        ...

    async def contacts(self) -> list[ShownContact]:
        """Every address at which a PJSIP endpoint can be reached."""
        ...

    async def action(self, name: str, fields: Mapping[str, str] | None = None) -> dict[str, str]:
        """Send an action; the headers of its answer."""
        ...
