"""What a client may prove itself with besides an API key, as the API sees it: ports and refusals.

    ProofError
    ├── TokenError                  the token is not to be believed
    ├── TokenKeysUnavailableError   no token can be checked now
    └── AccountsBusyError           too many passwords are being checked now

It is apart from the modules that do the work, which need much of cryptography, so that an
installation with API keys only does not load that.
"""

from typing import Protocol

from fastagi_server.identities.identity import Identity


class ProofError(Exception):
    """Root of the refusals; the text is for the client and repeats nothing that was sent."""


class TokenError(ProofError):
    """The token is malformed, expired, not signed with a trusted key, or not meant for us."""


class TokenKeysUnavailableError(ProofError):
    """The issuer's keys could not be fetched so far; the same token may be good later."""


class AccountsBusyError(ProofError):
    """Passwords take long to check, and as many as may be are in check."""


class TokenReader(Protocol):
    """Tells who a token speaks for, and until when."""

    async def read(self, token: bytes) -> tuple[Identity, float]:
        """The identity, and the moment (seconds since 1970) from which it counts no more.

        Raises TokenError and TokenKeysUnavailableError.
        """
        ...


class Accounts(Protocol):
    """The operators who have a password."""

    def remembered(self, name: bytes, password: bytes) -> Identity | None:
        """The operator, if this password was found right a short time ago."""
        ...

    async def check(self, name: bytes, password: bytes) -> Identity | None:
        """The operator of this name and password, or None. Raises AccountsBusyError."""
        ...


def is_token(credential: bytes) -> bool:
    """Whether this bearer credential has the form of a JSON Web Token; no API key has."""
    return credential.count(b".") == 2  # noqa: PLR2004 - header, claims and signature
