"""Keeping a session alive by RFC 4028: refreshes of ours, and the end when there are none."""

from collections.abc import Callable
from dataclasses import replace

from fastagi_server.sip.desk import Desk
from fastagi_server.sip.dialogs import Dialog
from fastagi_server.sip.headers import Field
from fastagi_server.sip.messages import Response
from fastagi_server.sip.session_timer import SessionTimer, Terms, granted
from fastagi_server.sip.transactions import Kind, kind_of

GONE = (408, 481)
"""Responses that mean that the far end has no such dialog (RFC 3261, 12.2.1.2)."""

NO_METHOD = (405, 501)
TOO_SHORT = 422

_REFRESH = "refresh"
_EXPIRE = "expire"


class Refreshing:
    """The session timer of one dialog at work.

    We refresh by UPDATE, which touches no media, or by `reinvite` where the far end has no UPDATE.
    `on_gone` hears a status of `GONE`, `on_expired` that the session is over.
    """

    def __init__(
        self,
        desk: Desk,
        dialog: Dialog,
        terms: Terms,
        *,
        reinvite: Callable[[], None],
        on_gone: Callable[[int], None],
        on_expired: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._dialog = dialog
        self._terms = terms
        self._reinvite = reinvite
        self._on_gone = on_gone
        self._on_expired = on_expired
        self.timer: SessionTimer | None = None

    def run(self, timer: SessionTimer | None) -> None:
        """The session was made or refreshed on these terms: begin to count anew."""
        self.timer = timer
        self.stop()
        if timer is None:
            return
        if timer.we_refresh:
            self._desk.timers.start(_REFRESH, timer.refresh_seconds, self.refresh)
        self._desk.timers.start(_EXPIRE, timer.expire_seconds, self._on_expired)

    def stop(self) -> None:
        """Count no more."""
        self._desk.timers.stop(_REFRESH, _EXPIRE)

    def fields(self) -> tuple[Field, ...]:
        """What a request of ours says of the session's time."""
        return self.timer.fields() if self.timer else ()

    def refresh(self) -> None:
        """Let the far end know that we are there, and learn whether it is."""
        if self._dialog.allows_update:
            request = self._dialog.request("UPDATE", *self.fields())
            self._desk.ask(self._dialog, request, self._hear_update)
        else:
            self._reinvite()

    def ask_whether_there(self) -> None:
        """Learn whether the far end still knows the dialog, without touching its media."""
        if self._dialog.allows_update:
            self.refresh()
        else:
            request = self._dialog.request("OPTIONS")
            self._desk.ask(self._dialog, request, self._hear_options)

    def raised(self, response: Response) -> bool:
        """Take the longer interval that a 422 demands; whether there is one."""
        terms = self._terms.raised(response) if self.timer else None
        if self.timer is None or terms is None or terms.interval <= self.timer.interval:
            return False
        self._terms = terms
        self.timer = replace(self.timer, interval=terms.interval)
        return True

    def _hear_options(self, response: Response) -> None:
        if response.status in GONE:
            self._on_gone(response.status)

    def _hear_update(self, response: Response) -> None:
        status = response.status
        if kind_of(status) is Kind.SUCCESS:
            self._dialog.retarget(response)
            self.run(granted(response))
        elif status in GONE:
            self._on_gone(status)
        elif status in NO_METHOD:
            self._dialog.allows_update = False
            self._reinvite()
        elif status == TOO_SHORT and self.raised(response):
            self.refresh()
