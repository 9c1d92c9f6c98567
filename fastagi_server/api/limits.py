"""How often somebody may ask, and how often an address may be wrong."""

import math
import time
from collections.abc import Callable

from fastagi_server.api.errors import ApiError
from fastagi_server.identities.identity import Identity
from fastagi_server.identities.rates import RateLimiter, origin_of
from fastagi_server.telemetry.measures import Measures

REQUESTS_PER_MINUTE = 100
"""Of one user; the published default."""

FAILURES_PER_MINUTE = 20
"""Wrong credentials from one address."""


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measures = measures
        self._requests = RateLimiter(requests_per_minute, clock=clock)
        self._failures = RateLimiter(failures_per_minute, clock=clock)

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

    def _refuse(self, reason: str, message: str, wait: float) -> None:
        self._measures.http_limited.add(reason)
        raise ApiError(429, message, headers={"Retry-After": str(math.ceil(wait))})
