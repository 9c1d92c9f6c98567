"""The connection to Asterisk that we open and keep open, and whether Asterisk answers on it."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from secrets import token_hex

from fastagi_server.sip.addresses import NameAddress, Uri
from fastagi_server.sip.connection import Connection
from fastagi_server.sip.dialogs import Dialog, Origin, uri_host
from fastagi_server.sip.errors import SipError, SipUnreachableError
from fastagi_server.sip.messages import Response
from fastagi_server.sip.replies import Envelope
from fastagi_server.supervise import UP, LinkStatus, StandAsideError, Supervisor
from fastagi_server.telemetry.measures import Measures

REFUSED = "authentication refused"
REFUSED_SECONDS = 10.0
"""Between two tries of a token that Asterisk does not know: more of them look like an attack."""

OPEN_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""For the answer to an OPTIONS; a busy Asterisk takes its time."""
REPEAT_SECONDS = 1.0
"""Between two OPTIONS of which none was answered yet."""
PING_SECONDS = 20.0

_UNKNOWN = {401, 403, 407}
_FINAL = 200


class SipLink:
    """One connection after another to `host`:`port`, until `run` is cancelled.

    It is up once Asterisk answered an OPTIONS on it, and is asked again every 20 s. `state` is
    connecting, up, lost, stopped, or authentication refused: then Asterisk does not know us by
    `origin.fields`, and the next try is in 5 to 10 s. With `may_be_challenged`, a challenge is no
    refusal: the legs answer it. `open_connection` makes what serves a connection; `on_found` and
    `on_lost` tell of each that was up.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        origin: Origin,
        open_connection: Callable[[], Connection],
        on_found: Callable[[], None],
        on_lost: Callable[[], None],
        measures: Measures,
        may_be_challenged: bool = False,
        ping_seconds: float = PING_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        name: str = "sip",
    ) -> None:
        self._address = host, port
        self.uri = Uri("", uri_host(host), port)
        self.connection: Connection | None = None
        self._origin = origin
        self._open_connection = open_connection
        self._on_found = on_found
        self._on_lost = on_lost
        self._may_be_challenged = may_be_challenged
        self._ping_seconds = ping_seconds
        self._answer_seconds = answer_seconds
        self._dialog = self._new_dialog()
        self._answer: asyncio.Future[int] | None = None
        self._status = LinkStatus(name, _reporter(name, measures))
        self._supervisor = Supervisor(self._status, self._attempt, expected=(SipError,))

    @property
    def state(self) -> str:
        """How the link stands."""
        return self._status.state

    @property
    def since(self) -> datetime:
        """Since when it stands so, in UTC."""
        return self._status.since

    @property
    def last_error(self) -> str:
        """Why the link was not up the last time that it was not; empty when it always was."""
        return self._status.last_error

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        await self._supervisor.run()

    def receive(self, response: Response, envelope: Envelope) -> bool:
        """Take a response; whether it is one to an OPTIONS of ours."""
        if envelope.call_id != self._dialog.call_id:
            return False
        answer, is_final = self._answer, response.status >= _FINAL
        if is_final and answer is not None and not answer.done():
            answer.set_result(response.status)
        return True

    async def _attempt(self, up: Callable[[], None]) -> None:
        connection = await self._connect()
        try:
            self._dialog = self._new_dialog()
            await self._ask(connection)
            self.connection = connection
            up()
            self._on_found()
            await self._stay(connection)
        finally:
            connection.close("we closed the connection")
            if self.connection is not None:
                self.connection = None
                self._on_lost()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                _, connection = await loop.create_connection(self._open_connection, *self._address)
        except (OSError, TimeoutError) as error:
            raise SipUnreachableError(f"no connection to Asterisk's SIP: {error}") from error
        return connection

    async def _stay(self, connection: Connection) -> None:
        """Ask now and then whether Asterisk is there. Raises `SipUnreachableError` at the end."""
        while not connection.ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ping_seconds):
                    await connection.ended.wait()
                    break
            await self._ask(connection)
        raise SipUnreachableError(connection.why)

    async def _ask(self, connection: Connection) -> None:
        """Send OPTIONS until there is an answer, which may be any but that we are not known.

        An Asterisk that boots takes connections before it hears what is said on them.
        """
        answer = self._answer = asyncio.get_running_loop().create_future()
        ended = asyncio.create_task(connection.ended.wait())
        try:
            async with asyncio.timeout(self._answer_seconds):
                while not (answer.done() or ended.done()):
                    connection.send(self._dialog.request("OPTIONS"))
                    await asyncio.wait(
                        {answer, ended},
                        timeout=REPEAT_SECONDS,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
        except TimeoutError:
            raise SipUnreachableError("no answer to OPTIONS") from None
        finally:
            ended.cancel()
        if not answer.done():
            raise SipUnreachableError(connection.why)
        if answer.result() in _UNKNOWN and not self._may_be_challenged:
            reason = f"Asterisk does not know the gateway: {answer.result()}"
            raise StandAsideError(reason, state=REFUSED, seconds=REFUSED_SECONDS)

    def _new_dialog(self) -> Dialog:
        """What numbers our OPTIONS; they make no dialog."""
        us = NameAddress(str(Uri("gateway", self._origin.host, self._origin.port)))
        return Dialog(
            self._origin,
            call_id=f"{token_hex(16)}@{self._origin.host}",
            local=us.tagged(token_hex(8)),
            remote=NameAddress(str(self.uri)),
            target=str(self.uri),
            contact=self._origin.contact("gateway"),
        )


def _reporter(name: str, measures: Measures) -> Callable[[str], None]:
    """Counts a link's states in the measures."""
    measures.sip_link_up.set(0.0, name)

    def report(state: str) -> None:
        measures.sip_link_up.set(1.0 if state == UP else 0.0, name)
        measures.sip_link_changes.add(name, state)

    return report
