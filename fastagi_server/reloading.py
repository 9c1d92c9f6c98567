"""SIGHUP: the settings are read again, and what can change without a restart does.

Keys, tokens and operators are files that are watched anyway; the API's certificate is looked at.
"""

import asyncio
from collections.abc import Callable

import structlog

from fastagi_server.checking import find_faults
from fastagi_server.settings import Settings
from fastagi_server.telemetry.levels import set_level

RELOADABLE = frozenset(
    {
        "fastagi_allow",
        "fastagi_drain_seconds",
        "fastagi_log_level",
        "fastagi_max_sessions",
        "fastagi_on_error",
        "fastagi_unprotected",
        "sge_account_failures_per_minute",
        "sge_failures_per_minute",
        "sge_max_calls_per_user",
        "sge_rate_limit_per_minute",
    }
)
"""Settings that take effect at once; every other one needs a restart."""

_OURS = frozenset({"agi", "http"})

_log = structlog.stdlib.get_logger("service")


class Reloading:
    """The settings in use: those of the start, and what was reloaded since.

    `read` reads the settings anew; `apply` puts them into effect in this process. Either may raise
    `ValueError` or `OSError` in words, and then the old ones stay.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings],
        apply: Callable[[Settings], None],
    ) -> None:
        self.settings = settings
        self._read = read
        self._apply = apply

    async def reload(self) -> None:
        """Read and apply; never raises, and does not hold up the event loop while it reads."""
        try:
            wanted = await asyncio.to_thread(self._read_checked)
        except (ValueError, OSError) as error:
            _refuse(error)
        else:
            self._take(wanted)

    def reload_now(self) -> None:
        """Do the same in a process without an event loop."""
        try:
            wanted = self._read_checked()
        except (ValueError, OSError) as error:
            _refuse(error)
        else:
            self._take(wanted)

    def _read_checked(self) -> Settings:
        wanted = self._read()
        faults = find_faults(wanted, bound=_OURS)
        if faults:
            raise ValueError("\n".join(faults))
        return wanted

    def _take(self, wanted: Settings) -> None:
        changed = [
            name
            for name in type(wanted).model_fields
            if getattr(wanted, name) != getattr(self.settings, name)
        ]
        now = {name: getattr(wanted, name) for name in changed if name in RELOADABLE}
        settings = self.settings.model_copy(update=now)
        try:
            self._apply(settings)
        except (ValueError, OSError) as error:
            _refuse(error)
            return
        set_level(settings.fastagi_log_level)
        self.settings = settings
        _log.info("reloaded", changed=[name.upper() for name in now])
        later = [name.upper() for name in changed if name not in RELOADABLE]
        if later:
            _log.warning("restart_needed", settings=later)


def _refuse(error: Exception) -> None:
    _log.error("reload_refused", reason=str(error))
