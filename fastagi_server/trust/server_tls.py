"""The API's own certificate, and which clients' certificates it asks for."""

import asyncio
import ssl
from pathlib import Path
from typing import Literal

import structlog

from fastagi_server.trust.errors import TrustError

ClientAuth = Literal["none", "optional", "required"]

LOOK_EVERY_SECONDS = 60.0
"""A renewed certificate is in use within a minute; the old one is good for days."""

_VERIFY = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_log = structlog.stdlib.get_logger("trust")


class ServerTls:
    """TLS 1.3 with a certificate from files. Raises TrustError when they cannot be used.

    `client_ca` are the certificates that sign clients' ones; with "optional" a client may show
    none, but not a wrong one.
    """

    def __init__(
        self,
        *,
        certificate: Path,
        key: Path,
        client_ca: Path | None = None,
        client_auth: ClientAuth = "none",
    ) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._identities()
        self._load()
        if client_ca is not None:
            try:
                self.context.load_verify_locations(client_ca)
            except (OSError, ssl.SSLError) as error:
                raise TrustError(f"{client_ca}: {error.strerror or 'no certificates'}") from None
        self.context.verify_mode = _VERIFY[client_auth]

    def context_for(self, *_: object) -> ssl.SSLContext:
        """The context, in the form of uvicorn's factory of one."""
        return self.context

    async def keep_fresh(self) -> None:
        """Use a renewed certificate for connections to come; ends only by cancellation."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            self.look()

    def look(self) -> None:
        """Read the files again if they have changed; wrong ones leave the old certificate."""
        try:
            seen = self._identities()
            if seen != self._seen:
                self._seen = seen
                self._load()
                _log.info("certificate_read_again", path=str(self._files[0]))
        except TrustError as error:
            _log.warning("certificate_unreadable", reason=str(error))

    def _load(self) -> None:
        # On a context of its own first: a key that does not fit must not spoil the one in use.
        # The password is empty because the library would ask the terminal for it.
        try:
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                context.load_cert_chain(*self._files, password="")
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise TrustError(f"{self._files[0]}, {self._files[1]}: {reason}") from None

    def _identities(self) -> list[tuple[int, int]]:
        try:
            stats = [path.stat() for path in self._files]
        except OSError as error:
            raise TrustError(f"{error.filename}: {error.strerror}") from None
        return [(stat.st_mtime_ns, stat.st_ino) for stat in stats]
