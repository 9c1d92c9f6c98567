"""A fake Asterisk with a manager interface.

    async with FakeAmi() as asterisk:
        ...                                     # the code under test, told `asterisk.port`
        caller = asterisk.exchange.call("1002", "1001")
        asterisk.exchange.hang_up(caller)

Events go to every connection that is logged in, as soon as they are told.
"""

import asyncio
import hmac
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

from fastagi_server.testing.ami import answers
from fastagi_server.testing.ami.answers import Answer, Contact
from fastagi_server.testing.ami.exchange import Exchange
from fastagi_server.testing.ami.messages import GREETING, event, message, read_action

USERNAME = "sky-genesis"
SECRET = "fake-ami-secret"  # noqa: S105 - of a double on loopback
ACTION_BYTES = 65_536

SYSTEM_EVENTS = frozenset({"FullyBooted", "Shutdown", "Reload", "ContactStatus", "Registry"})
FIRST_START = 1_710_000_000


class FakeAmi:
    """An Asterisk on a free port of loopback, complete and without a call.

    `actions` are those received, with names of headers in lower case. `contacts` are its registered
    phones. `silent` holds names of actions that are never answered. Without `has_system_class`, the
    user may neither hear events of the system nor list anything.
    """

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.username = USERNAME
        self.secret = SECRET
        self.system_name = ""
        self.actions: list[dict[str, str]] = []
        self.contacts: list[Contact] = []
        self.silent: set[str] = set()
        self.has_system_class = True
        self.is_booted = True
        self.exchange = Exchange(self.tell)
        self._clock = float(FIRST_START)
        self._starts = 1
        self._writers: dict[asyncio.StreamWriter, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._answers: Mapping[str, Answer] = {
            "ping": self._pong,
            "corestatus": self._status,
            "coresettings": self._settings,
            "coreshowchannels": lambda name: answers.channels(
                name, list(self.exchange.channels.values())
            ),
            "bridgelist": lambda name: answers.bridges(name, list(self.exchange.bridges.values())),
            "pjsipshowcontacts": lambda name: answers.contacts(name, self.contacts),
            "originate": lambda name: answers.success(
                name, {"Message": "Originate successfully queued"}
            ),
        }

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and end every connection."""
        await self.stop()

    async def start(self) -> None:
        """Listen, on the port there was before, if any."""
        self._server = await asyncio.start_server(
            self._accepted, self.host, self.port, limit=ACTION_BYTES
        )
        self.port = cast("tuple[str, int]", self._server.sockets[0].getsockname())[1]

    async def stop(self) -> None:
        """Listen no more and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what happens --

    def tell(self, name: str, headers: Mapping[str, str]) -> None:
        """Tell an event, a tenth of a millisecond after the one before."""
        self._clock += 0.0001
        privilege = "system" if name in SYSTEM_EVENTS else "call"
        if privilege == "call" or self.has_system_class:
            self.send(event(name, headers, privilege=privilege, at=self._clock))

    def send(self, data: bytes) -> None:
        """Send bytes, whatever they are, to all who are logged in."""
        for writer, is_in in self._writers.items():
            if is_in:
                writer.write(data)

    def boot(self) -> None:
        """Become complete, and say so."""
        self.is_booted = True
        self.tell("FullyBooted", {"Uptime": "0", "LastReload": "0", "Status": "Fully Booted"})

    def restart(self) -> None:
        """Crash and start again: nothing is left, and it starts at another time."""
        self.exchange.clear()
        self._starts += 1
        self.cut()

    # -- faults --

    def cut(self) -> None:
        """End every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def end_connections(self) -> None:
        """End every connection behind what was sent on it, as an Asterisk that stops does."""
        for writer in list(self._writers):
            writer.close()

    def stall(self) -> None:
        """Answer nothing until `resume`, with all connections open."""
        self._flowing.clear()

    def resume(self) -> None:
        """Answer again."""
        self._flowing.set()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._writers)

    # -- the other side --

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = False
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._forget(writer))

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        del self._writers[writer]
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        # an end or something without measure: the client is gone, or was none
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                action = read_action(await reader.readuntil(b"\r\n\r\n"))
                await self._flowing.wait()
                self.actions.append(action)
                if action.get("action", "").lower() not in self.silent:
                    writer.write(self._answer(action, writer))
                    await writer.drain()

    def _answer(self, action: Mapping[str, str], writer: asyncio.StreamWriter) -> bytes:
        name, action_id = action.get("action", "").lower(), action.get("actionid", "")
        if name == "login":
            return self._log_in(action, action_id, writer)
        if not self._writers[writer]:
            return answers.error(action_id, "Permission denied")
        if name in self._answers and (self.has_system_class or name == "ping"):
            return self._answers[name](action_id)
        if name in self._answers:
            return answers.error(action_id, "Permission denied")
        words = f"Invalid/unknown command: {name}."
        return answers.error(
            action_id, f"{words} Use Action: ListCommands to show available commands."
        )

    def _log_in(
        self, action: Mapping[str, str], action_id: str, writer: asyncio.StreamWriter
    ) -> bytes:
        given = f"{action.get('username')}\n{action.get('secret')}".encode()
        if not hmac.compare_digest(given, f"{self.username}\n{self.secret}".encode()):
            return answers.error(action_id, "Authentication failed")
        self._writers[writer] = True
        answer = answers.success(action_id, {"Message": "Authentication accepted"})
        if not (self.has_system_class and self.is_booted):
            return answer
        booted = (
            ("Event", "FullyBooted"),
            ("Privilege", "system,all"),
            ("Uptime", "14"),
            ("LastReload", "14"),
            ("Status", "Fully Booted"),
        )
        return answer + message(booted)

    def _pong(self, action_id: str) -> bytes:
        return answers.success(action_id, {"Ping": "Pong", "Timestamp": f"{self._clock:.6f}"})

    def _status(self, action_id: str) -> bytes:
        started = {"CoreStartupDate": "2024-03-09", "CoreStartupTime": f"16:00:{self._starts:02}"}
        calls = {"CoreCurrentCalls": str(len(self.exchange.channels))}
        return answers.success(action_id, {**started, **calls})

    def _settings(self, action_id: str) -> bytes:
        headers = {"AMIversion": "11.0.0", "AsteriskVersion": "22.10.1"}
        return answers.success(action_id, {**headers, "SystemName": self.system_name})
