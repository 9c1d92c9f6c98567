"""The API's own certificate, and which clients' certificates it asks for."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import structlog

from fastagi_server.trust.errors import TrustError

ClientAuth = Literal["none", "optional", "required"]

LOOK_EVERY_SECONDS = 60.0
"""A renewed certificate is in use within a minute, and a revoked one is not for longer."""

MAX_LIST_BYTES = 8 * 1024 * 1024
"""Of revocation lists: some hundred thousand certificates."""

_VERIFY = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_log = structlog.stdlib.get_logger("trust")


class _Handshake(ssl.SSLObject):
    """A handshake that says why it failed; the event loop drops that without a word."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            _log.warning("client_certificate_refused", reason=error.verify_message)
            raise


class ServerTls:
    """TLS 1.3 with a certificate from files. Raises TrustError when they cannot be used.

    `client_ca` are the certificates that sign clients' ones; with "optional" a client may show
    none, but not a wrong one. `client_crl` are revocation lists (PEM), one of each of those
    authorities: a client whose certificate is on it is refused, and so is every certificate of an
    authority whose list is missing or out of date.
    """

    def __init__(
        self,
        *,
        certificate: Path,
        key: Path,
        client_ca: Path | None = None,
        client_auth: ClientAuth = "none",
        client_crl: Path | None = None,
    ) -> None:
        self._files = (certificate, key)
        self._lists = () if client_crl is None else (client_crl,)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.sslobject_class = _Handshake
        if client_auth != "none":
            # A session that is taken up again is not asked for its certificate again.
            self.context.num_tickets = 0
        self._seen = _identities(self._files)
        self._load()
        if client_ca is not None:
            try:
                self.context.load_verify_locations(client_ca)
            except (OSError, ssl.SSLError) as error:
                raise TrustError(f"{client_ca}: {error.strerror or 'no certificates'}") from None
        self.context.verify_mode = _VERIFY[client_auth]
        self._seen_lists = _identities(self._lists)
        for path in self._lists:
            self.context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
            self._load_list(path)

    def context_for(self, *_: object) -> ssl.SSLContext:
        """The context, in the form of uvicorn's factory of one."""
        return self.context

    async def keep_fresh(self, on_revocations: Callable[[], None]) -> None:
        """Use renewed files for connections to come; ends only by cancellation.

        `on_revocations` is called after new revocation lists: connections that were made before
        them should end.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            self.look()
            if self.look_at_lists():
                on_revocations()

    def look(self) -> None:
        """Read the certificate again if it has changed; a wrong one leaves the old one."""
        try:
            seen = _identities(self._files)
            if seen != self._seen:
                self._seen = seen
                self._load()
                _log.info("certificate_read_again", path=str(self._files[0]))
        except TrustError as error:
            _log.warning("certificate_unreadable", reason=str(error))

    def look_at_lists(self) -> bool:
        """Read the revocation lists again if they have changed; whether there are new ones.

        A list counts with the older ones of its authority, of which the newest decides. A wrong
        file leaves the old lists.
        """
        try:
            seen = _identities(self._lists)
            if seen == self._seen_lists:
                return False
            self._seen_lists = seen
            for path in self._lists:
                self._load_list(path)
                _log.info("revocation_list_read_again", path=str(path))
        except TrustError as error:
            _log.warning("revocation_list_unreadable", reason=str(error))
            return False
        return True

    def _load(self) -> None:
        # On a context of its own first: a key that does not fit must not spoil the one in use.
        # The password is empty because the library would ask the terminal for it.
        try:
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                context.load_cert_chain(*self._files, password="")
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise TrustError(f"{self._files[0]}, {self._files[1]}: {reason}") from None

    def _load_list(self, path: Path) -> None:
        # A certificate in this file would become one that is trusted.
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            if path.stat().st_size > MAX_LIST_BYTES:
                raise TrustError(f"{path} has more than {MAX_LIST_BYTES} bytes")
            trial.load_verify_locations(path)
            found = trial.cert_store_stats()
            if found["x509"] or not found["crl"]:
                raise TrustError(f"{path} must hold revocation lists and nothing else")
            self.context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or "no revocation lists in PEM"
            raise TrustError(f"{path}: {reason}") from None


def _identities(files: Sequence[Path]) -> list[tuple[int, int]]:
    try:
        stats = [path.stat() for path in files]
    except OSError as error:
        raise TrustError(f"{error.filename}: {error.strerror}") from None
    return [(stat.st_mtime_ns, stat.st_ino) for stat in stats]
