"""How many requests somebody may make in a minute.

A window of a minute begins with the first request after the last window, as the published API
counts. Memory is bounded: whoever was not heard of for longest is forgotten first, which costs the
limit nothing, because his window is nearly over.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

WINDOW_SECONDS = 60.0
MAX_KNOWN = 10_000
"""Names that are counted at once, some hundred bytes each."""

_IPV6_NETWORK_BITS = 64
"""One subscriber has at least such a network, so that its addresses count as one."""


class RateLimiter:
    """Allows `limit` requests a minute to each name; 0 allows any number. It may be changed."""

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._windows: OrderedDict[str, list[float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Count one request: 0.0 when it is allowed, else the seconds until the next one is."""
        if self.limit == 0:
            return 0.0
        now = self._clock()
        window = self._windows.get(name)
        if window is None or now >= window[0] + WINDOW_SECONDS:
            window = self._begin(name, now)
        else:
            self._windows.move_to_end(name)
        if window[1] >= self.limit:
            return window[0] + WINDOW_SECONDS - now
        window[1] += 1
        return 0.0

    def wait(self, name: str) -> float:
        """The seconds until the next request is allowed, without counting one."""
        window = self._windows.get(name)
        if self.limit == 0 or window is None or window[1] < self.limit:
            return 0.0
        return max(0.0, window[0] + WINDOW_SECONDS - self._clock())

    def _begin(self, name: str, now: float) -> list[float]:
        window = self._windows[name] = [now, 0]
        self._windows.move_to_end(name)
        if len(self._windows) > MAX_KNOWN:
            self._windows.popitem(last=False)
        return window


def origin_of(address: str) -> str:
    """What an address is counted as: itself, or the network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - the version of the protocol
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
