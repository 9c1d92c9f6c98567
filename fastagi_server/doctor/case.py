"""What all looks have in common: the settings, and one login to the manager interface."""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastagi_server.ami.errors import AmiError, AmiRefusedError
from fastagi_server.settings import Settings

if TYPE_CHECKING:
    from fastagi_server.ami.connection import Connection

SECONDS = 3.0
"""How long one question may take, so that a group with two of them ends before its deadline."""

SNMPD_CONF = Path("/etc/snmp/snmpd.conf")


@dataclass
class Case:
    """One visit. `snmpd_conf` is where snmpd's own settings are; `snmpd_conf.d` is beside it."""

    settings: Settings
    snmpd_conf: Path = SNMPD_CONF
    _login: "asyncio.Task[Connection] | None" = field(default=None, repr=False)

    async def manager(self) -> "Connection":
        """The connection to the manager interface, logged in and shared. Raises `AmiError`."""
        if self._login is None:
            self._login = asyncio.create_task(self._log_in(), name="doctor-login")
        return await asyncio.shield(self._login)

    async def configured(self, file: str, category: str) -> dict[str, str] | None:
        """What a configuration file of Asterisk says in a category, by lower-case names.

        Of a name that is given twice, the last; None where there is no such file or category, or
        this user may not read it. Raises `AmiError`.
        """
        fields = {"Filename": file, "Category": category}
        try:
            answer = await (await self.manager()).action("GetConfig", fields)
        except AmiRefusedError:
            return None
        lines = (text for name, text in answer.items() if name.startswith("Line-"))
        pairs = (line.partition("=") for line in lines)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def close(self) -> None:
        """Leave the manager interface."""
        if self._login is None:
            return
        self._login.cancel()
        (login,) = await asyncio.gather(self._login, return_exceptions=True)
        if not isinstance(login, BaseException):
            login.close()

    async def _log_in(self) -> "Connection":
        from fastagi_server.ami.connection import open_connection  # noqa: PLC0415 - panoramisk

        settings = self.settings
        connection = await open_connection(
            settings.asterisk_ami_host,
            settings.asterisk_ami_port,
            receive=lambda _events, _others: None,
            ssl_context=self._manager_tls(),
            action_seconds=SECONDS,
        )
        try:
            await connection.login(settings.asterisk_ami_username, settings.ami_secret)
        except (AmiError, asyncio.CancelledError):
            connection.close()
            raise
        return connection

    def _manager_tls(self) -> ssl.SSLContext | None:
        if not self.settings.asterisk_ami_tls:
            return None
        ca_file = self.settings.asterisk_ami_ca_file
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """What a peer's certificate is checked with. Raises `OSError`."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
