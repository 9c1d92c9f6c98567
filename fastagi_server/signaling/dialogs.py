"""The legs of browsers that are up, as they are kept for the next run of the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class DialogRecord:
    """A leg that is up.

    `leg_id` is SIP's Call-ID, `snapshot` what the wire needs to go on with it. `is_caller` tells
    that the browser made the call, `is_noted` that the gateway keeps its record.
    """

    leg_id: str
    call_id: str
    user: str
    is_caller: bool
    is_noted: bool
    snapshot: Mapping[str, Any]


class DialogRecords(Protocol):
    """Where dialogs are kept. Every method may raise the store's error."""

    async def kept(self) -> Sequence[DialogRecord]:
        """All of them."""
        ...

    async def save(self, record: DialogRecord) -> None:
        """Keep a dialog, in the place of what was kept of it before."""
        ...

    async def remove(self, leg_id: str) -> None:
        """Forget a dialog; one that is not kept is as good."""
        ...
