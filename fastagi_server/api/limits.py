"""How often somebody may ask, and how often an address, or whoever tries an account, be wrong."""

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from fastagi_server.api.errors import ApiError
from fastagi_server.identities.identity import Identity
from fastagi_server.identities.rates import RateLimiter, origin_of
from fastagi_server.telemetry.measures import Measures

REQUESTS_PER_MINUTE = 100
"""Of one user; the published default."""

FAILURES_PER_MINUTE = 20
"""Wrong credentials from one address."""

ACCOUNT_FAILURES_PER_MINUTE = 10
"""Wrong passwords for one account, whatever addresses they come from."""

MAX_PROVEN = 1000
"""Accounts with an address that their password came from, which are kept."""


class Limits:
    """The limits of one process; each raises ApiError 429 with `Retry-After`. 0 is no limit.

    Trusted identities may ask as often as they like: the telephone system must not wait for a
    window to end.
    """

    def __init__(
        self,
        *,
        measures: Measures,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        failures_per_minute: int = FAILURES_PER_MINUTE,
        account_failures_per_minute: int = ACCOUNT_FAILURES_PER_MINUTE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measures = measures
        self._requests = RateLimiter(requests_per_minute, clock=clock)
        self._failures = RateLimiter(failures_per_minute, clock=clock)
        self._account_failures = RateLimiter(account_failures_per_minute, clock=clock)
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def change(
        self,
        *,
        requests_per_minute: int,
        failures_per_minute: int,
        account_failures_per_minute: int,
    ) -> None:
        """Allow so many from now on; what was counted in this minute stays counted."""
        self._requests.limit = requests_per_minute
        self._failures.limit = failures_per_minute
        self._account_failures.limit = account_failures_per_minute

    def count_request(self, identity: Identity) -> None:
        """Count one request of this identity, and refuse it if there were too many."""
        if identity.is_trusted:
            return
        wait = self._requests.take(identity.name)
        if wait:
            self._refuse("requests", "There were too many requests of this user", wait)

    def count_failure(self, address: str) -> None:
        """Count one wrong credential from this address, and refuse it if there were too many."""
        wait = self._failures.take(origin_of(address))
        if wait:
            self._refuse("failures", "There were too many wrong credentials", wait)

    def check_failures(self, address: str) -> None:
        """Refuse if there were too many wrong credentials from this address."""
        wait = self._failures.wait(origin_of(address))
        if wait:
            self._refuse("failures", "There were too many wrong credentials", wait)

    def check_account(self, account: bytes, address: str) -> None:
        """Refuse if there were too many wrong passwords for this account, from anywhere.

        It need not exist, so that the refusal does not tell. An address that the right password
        has come from before goes on: whoever guesses must not keep the operator out.
        """
        name = _account_name(account)
        wait = self._account_failures.wait(name)
        if wait and (name, origin_of(address)) not in self._proven:
            self._refuse("account_failures", "There were too many wrong passwords", wait)

    def count_account_failure(self, account: bytes) -> None:
        """Count one wrong password for this account."""
        self._account_failures.take(_account_name(account))

    def note_account(self, account: bytes, address: str) -> None:
        """Remember that the right password for this account has come from this address."""
        proof = _account_name(account), origin_of(address)
        self._proven[proof] = None
        self._proven.move_to_end(proof)
        if len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)

    def _refuse(self, reason: str, message: str, wait: float) -> None:
        self._measures.http_limited.add(reason)
        raise ApiError(429, message, headers={"Retry-After": str(math.ceil(wait))})


def _account_name(account: bytes) -> str:
    # What a stranger sends as a name may be long, and is kept for a minute.
    return hashlib.sha256(account).hexdigest()
