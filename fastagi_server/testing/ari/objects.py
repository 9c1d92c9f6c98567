"""Channels and bridges of the fake, and how ARI writes them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def timestamp(at: datetime | None = None) -> str:
    """An instant as Asterisk writes it, to the millisecond."""
    at = at or datetime.now(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"


@dataclass
class FakeChannel:
    """One leg. `app` is the Stasis application that it is in, empty when in none.

    `originated` is the application and arguments that it enters on its answer; `created` says that
    it is a leg we call, made in the application at once. `watchers` are the applications that
    subscribed to it, which its maker has.
    """

    id: str
    endpoint: str
    state: str = "Down"
    app: str = ""
    originated: tuple[str, str] | None = None
    created: bool = False
    dialled: bool = False
    bridge: str = ""
    caller_number: str = ""
    caller_name: str = ""
    context: str = "default"
    exten: str = "s"
    muted: set[str] = field(default_factory=set[str])
    held: bool = False
    music: bool = False
    digits: str = ""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    watchers: set[str] = field(default_factory=set[str])
    creation_time: str = field(default_factory=timestamp)
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def audience(self) -> set[str]:
        """The applications that hear of it: while it is in one, that one too."""
        return self.watchers | {self.app} if self.app else self.watchers

    def document(self) -> Json:
        """ARI's `Channel`."""
        return {
            "id": self.id,
            "name": f"{self.endpoint}-00000001",
            "state": self.state,
            "protocol_id": "",
            "caller": {"name": self.caller_name, "number": self.caller_number},
            "connected": {"name": "", "number": ""},
            "accountcode": "",
            "dialplan": {
                "context": self.context,
                "exten": self.exten,
                "priority": 1,
                "app_name": "Stasis" if self.app else "",
                "app_data": self.app,
            },
            "creationtime": self.creation_time,
            "language": "en",
            "channelvars": {
                name: self.variables.get(name, "") for name in ("SGE_CALL_ID", "SGE_STATUS")
            },
        }


@dataclass
class FakeBridge:
    """A bridge with the ids of its channels, in the order of their coming."""

    id: str
    type: str
    name: str = ""
    channels: list[str] = field(default_factory=list[str])
    music: bool = False
    muted: set[str] = field(default_factory=set[str])
    roles: dict[str, str] = field(default_factory=dict[str, str])
    watchers: set[str] = field(default_factory=set[str])
    creation_time: str = field(default_factory=timestamp)

    def document(self) -> Json:
        """ARI's `Bridge`."""
        return {
            "id": self.id,
            "technology": "holding_bridge" if self.type == "holding" else "simple_bridge",
            "bridge_type": self.type,
            "bridge_class": "stasis",
            "creator": "Stasis",
            "name": self.name,
            "channels": list(self.channels),
            "creationtime": self.creation_time,
            "video_mode": "talker",
        }
