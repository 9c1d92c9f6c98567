"""ICE servers for browsers, with credentials that expire by themselves.

The TURN server and this service share a secret. The user name is the moment until which it is good
and the user, the password an HMAC of that: the server checks both without asking anybody
("TURN REST API", draft-uberti-behave-turn-rest-00; coturn's `use-auth-secret`). coturn looks at the
time when a relay is allocated and not when that is refreshed (observed with 4.6.1), so that a call
goes on which began before its credentials expired.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastagi_server.calls.journal import utc_now


@dataclass(frozen=True, slots=True)
class IceServer:
    """One entry of a browser's `iceServers`; name and credential are of TURN servers only."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class IceServers:
    """What a browser is told, and until when it is good."""

    servers: tuple[IceServer, ...]
    seconds: int
    expires_at: datetime


class IceBook:
    """The STUN and TURN servers of an installation; by default there are none.

    `secret` is shared with the TURN servers, and must not be empty where there are any. `seconds`
    is how long credentials are good.
    """

    def __init__(
        self,
        *,
        stun_urls: Sequence[str] = (),
        turn_urls: Sequence[str] = (),
        secret: str = "",
        seconds: int = 3600,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._stun_urls = tuple(stun_urls)
        self._turn_urls = tuple(turn_urls)
        self._secret = secret.encode()
        self._seconds = seconds
        self._now = now

    def servers(self, user: str) -> IceServers:
        """The servers for this user, with credentials of his own from now on."""
        expiry = int(self._now().timestamp()) + self._seconds
        servers: list[IceServer] = []
        if self._stun_urls:
            servers.append(IceServer(self._stun_urls))
        if self._turn_urls:
            username = f"{expiry}:{user}"
            servers.append(IceServer(self._turn_urls, username, self._credential(username)))
        return IceServers(tuple(servers), self._seconds, datetime.fromtimestamp(expiry, UTC))

    def _credential(self, username: str) -> str:
        # SHA-1 is what the scheme and every TURN server that knows it has.
        digest = hmac.digest(self._secret, username.encode(), hashlib.sha1)
        return base64.b64encode(digest).decode("ascii")
