"""A PBX that does whatever it is asked."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from fastagi_server.calls.commands import Command
from fastagi_server.calls.models import Call
from fastagi_server.rooms.models import Member, Room


@dataclass
class WillingPbx:
    """Notes what it was asked for in `asked`, leads no call itself, and refuses nothing."""

    asked: list[str] = field(default_factory=list[str])

    async def originate(self, call: Call, recorded: Awaitable[object]) -> None:
        """Ring everybody."""
        self.asked.append(f"originate {' '.join(call.participants)}")

    async def accept(self, call: Call, actor: str) -> bool:
        """Nobody waits to be answered."""
        self.asked.append(f"accept for {actor}")
        return False

    async def hang_up(self, call: Call, actor: str) -> bool:
        """There are no channels."""
        self.asked.append(f"hang up for {actor}")
        return False

    async def perform(self, call: Call, command: Command, actor: str, own: frozenset[str]) -> None:
        """Do it."""
        self.asked.append(f"perform {type(command).__name__}")


@dataclass
class WillingBridges:
    """The same for rooms; it notes in the same way."""

    asked: list[str] = field(default_factory=list[str])

    async def open(self, room: Room) -> None:
        """Make a bridge."""
        self.asked.append("open")

    async def close(self, room: Room) -> None:
        """Destroy a bridge."""
        self.asked.append("close")

    async def start_recording(self, room: Room, name: str) -> None:
        """Record."""
        self.asked.append("record")

    async def stop_recording(self, room: Room, name: str) -> None:
        """Stop recording."""
        self.asked.append("stop recording")

    async def ring(self, room: Room, member: Member, endpoint: str) -> None:
        """Ring somebody, who does not answer."""
        self.asked.append(f"ring {endpoint}")

    async def hang_up(self, channel: str, cause: int) -> None:
        """Hang up."""
        self.asked.append("hang up")

    async def admit(self, room: Room, member: Member) -> None:
        """Let a channel in."""
        self.asked.append("admit")

    async def set_aside(self, room: Room, member: Member) -> None:
        """Let a channel wait."""
        self.asked.append("set aside")

    async def mute(self, room: Room, member: Member) -> None:
        """Mute or unmute."""
        self.asked.append("mute")
