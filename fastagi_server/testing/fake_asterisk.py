"""A fake Asterisk: one channel that runs AGI(agi://...) over a real TCP connection.

    asterisk = FakeAsterisk("register", unique_id="17.4", variables={"SECRET": "s"})
    await asterisk.run("127.0.0.1", 4573)
    assert asterisk.variables == {"SGE_STATUS": "REGISTERED", ...}

It behaves as Asterisk 22 was measured to: the buffering of commands sent together, HANGUP between a
command and its reply, multi-line replies, commands that a new command cuts short, dead channels.
What would hurt a real PBX is kept in `violations`, which a test should find empty.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from fastagi_server.testing.asterisk.channel import Channel, Pbx, Subroutine
from fastagi_server.testing.asterisk.plan import Answer, Faults, Plan
from fastagi_server.testing.asterisk.record import Line, Observer
from fastagi_server.testing.asterisk.session import Session, Status

__all__ = ["Answer", "FakeAsterisk", "Faults", "Line", "Pbx", "Session", "Status", "Subroutine"]

MAX_TAIL = 12
"""How many lines of the dialogue the error of an overdue session shows."""


class FakeAsterisk:
    """One channel and the AGI sessions it runs, one after the other.

    `channel` is in the open: a test may change its `state` (6, up) or `language` before, and hang
    up or press keys while a session runs.

    `script` is what follows the host in the URL, without its slash; `arguments` are those of AGI().
    `variables` are set on the channel before; AGISIGHUP and AGIEXITONHANGUP work as in Asterisk.
    `dead` starts after the hang-up, as in the `h` extension. `intercepted` refuses the commands
    that an interception routine may not use, though the call is up. `usage=False` is an Asterisk
    without its documentation files, whose 520 is one line. `agi_version` decides the line limit.
    `request` replaces `agi_request` (by default the URL that `run` is given).

    `hang_up_after` so many seconds; `hang_up_before` a command, named by its beginning, is
    executed, so that HANGUP comes between it and its reply; `hang_up_during` a command, by name.

    `faults` break the protocol on purpose. `deadline` (seconds) ends a session that the server
    does not end, with TimeoutError; the real Asterisk would wait for ever. `observer` is told of
    each line.
    """

    def __init__(
        self,
        script: str = "",
        *,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        channel: str = "PJSIP/1002-00000001",
        unique_id: str = "1700000000.1",
        linked_id: str | None = None,
        caller_number: str = "1002",
        caller_name: str = "",
        dialled_number: str = "",
        extension: str = "1001",
        context: str = "sky-genesis-voip",
        priority: int = 2,
        account_code: str = "",
        dead: bool = False,
        intercepted: bool = False,
        usage: bool = True,
        agi_version: str = "22.10.1",
        request: str | None = None,
        hang_up_after: float | None = None,
        hang_up_before: str | None = None,
        hang_up_during: str | None = None,
        pbx: Pbx | None = None,
        faults: Faults | None = None,
        deadline: float = 10.0,
        observer: Observer | None = None,
    ) -> None:
        self.channel = Channel(
            name=channel,
            unique_id=unique_id,
            linked_id=unique_id if linked_id is None else linked_id,
            caller_number=caller_number,
            caller_name=caller_name,
            dialled_number=dialled_number,
            account_code=account_code,
            context=context,
            extension=extension,
            priority=priority,
            hung_up=dead,
            variables=dict(variables or {}),
            pbx=pbx or Pbx(),
        )
        self.plan = Plan(
            script=script,
            arguments=arguments,
            agi_version=agi_version,
            request=request,
            intercepted=intercepted,
            usage=usage,
            hang_up_after=hang_up_after,
            hang_up_before=hang_up_before,
            hang_up_during=hang_up_during,
            faults=faults or Faults(),
        )
        self.violations: list[str] = []
        self._deadline = deadline
        self._observer = observer
        self._session: Session | None = None

    @property
    def last_session(self) -> Session:
        """The session that runs, or the one that ran last."""
        if self._session is None:
            raise RuntimeError("no session was run yet")
        return self._session

    @property
    def status(self) -> Status | None:
        """AGISTATUS of the last session; `None` while it runs."""
        return self.last_session.status

    @property
    def variables(self) -> dict[str, str]:
        """What the server has set on the channel, under the names it used, `_` and `__` removed."""
        return self.channel.written

    @property
    def dialogue(self) -> list[Line]:
        """Every line of the last session, both ways."""
        return self.last_session.record.dialogue

    @property
    def commands(self) -> list[str]:
        """The command lines that the server sent in the last session."""
        return self.last_session.record.commands

    @property
    def goes_on_at(self) -> tuple[str, str, int]:
        """Context, extension and priority where the dialplan goes on after AGI()."""
        return self.channel.context, self.channel.extension, self.channel.priority + 1

    async def run(
        self,
        host: str,
        port: int,
        script: str | None = None,
        arguments: Sequence[str] | None = None,
    ) -> None:
        """Run AGI() to the end of the session: again for the same call, if it ran before.

        `script` and `arguments` replace the first ones. Raises TimeoutError at the deadline.
        """
        async with self.session(host, port, script, arguments):
            pass

    @asynccontextmanager
    async def session(
        self,
        host: str,
        port: int,
        script: str | None = None,
        arguments: Sequence[str] | None = None,
    ) -> AsyncGenerator[Session]:
        """Run a session beside the body, which may hang up, press keys or watch.

        Leaving waits for the end of the session, as `run` does; leaving by an exception ends it.
        """
        plan = replace(
            self.plan,
            script=self.plan.script if script is None else script,
            arguments=self.plan.arguments if arguments is None else arguments,
        )
        session = self._session = Session(self.channel, plan, self._observer)
        task = asyncio.create_task(self._supervised(session, host, port))
        try:
            yield session
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.violations += session.record.violations

    async def _supervised(self, session: Session, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await session.run(host, port)
        except TimeoutError:
            tail = "\n".join(f"{d} {text}" for _, d, text in session.record.dialogue[-MAX_TAIL:])
            raise TimeoutError(
                f"the server did not end the session in {self._deadline} s:\n{tail}"
            ) from None
