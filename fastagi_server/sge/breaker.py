"""A circuit breaker: an API that is down shall cost callers milliseconds, not seconds.

    CLOSED ──too many failures──> OPEN ──its pause is over──> HALF OPEN
      ^                            ^                            │  │
      │                            └───────probe failed─────────┘  │
      └────────────────────────probe succeeded─────────────────────┘

Laws, held by the property test:

1. While OPEN, nothing is admitted before the pause is over.
2. While HALF OPEN, exactly one request, the probe, is under way.
3. Only the probe's result moves a breaker that is not CLOSED; results of requests admitted
   before the last change of state are ignored.
4. Each failed probe doubles the pause up to a limit; a success begins anew.
"""

import time
from collections.abc import Callable
from enum import Enum

PROBE_WAIT_SECONDS = 0.25
"""When to ask again while somebody else's probe is under way."""


class State(Enum):
    """Where the breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class Breaker:
    """Opens after `consecutive_limit` failures in a row, or when too many of a window failed.

    Too many are `ratio_limit` (0..1] of at least `window_minimum` requests within
    `window_seconds`. `clock` counts seconds and never goes back; `on_change` hears of each new
    state.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[State], None] | None = None,
        consecutive_limit: int = 5,
        ratio_limit: float = 0.5,
        window_minimum: int = 20,
        window_seconds: float = 10.0,
        first_pause_seconds: float = 1.0,
        longest_pause_seconds: float = 15.0,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._consecutive_limit = consecutive_limit
        self._ratio_limit = ratio_limit
        self._window_minimum = window_minimum
        self._window_seconds = window_seconds
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._state = State.CLOSED
        self._generation = 0
        self._pause_seconds = first_pause_seconds
        self._opens_at = 0.0
        self._window_ends_at = clock() + window_seconds
        self._requests = 0
        self._failures = 0
        self._consecutive = 0

    @property
    def state(self) -> State:
        """Where the breaker stands; OPEN lasts until somebody asks after its pause."""
        return self._state

    @property
    def wait_seconds(self) -> float:
        """How long to wait before it is worth asking again; 0 when it may be now."""
        match self._state:
            case State.CLOSED:
                return 0.0
            case State.OPEN:
                return max(self._opens_at - self._clock(), 0.0)
            case State.HALF_OPEN:
                return PROBE_WAIT_SECONDS

    def admit(self) -> int | None:
        """A ticket for one request, or None: do not send it.

        Each ticket must come back once, by `succeeded`, `failed` or `abandoned`.
        """
        if self._state is State.OPEN and self._clock() >= self._opens_at:
            self._enter(State.HALF_OPEN)
            return self._generation
        return self._generation if self._state is State.CLOSED else None

    def succeeded(self, ticket: int) -> None:
        """The API did its work."""
        if ticket != self._generation:
            return
        if self._state is State.HALF_OPEN:
            self._pause_seconds = self._first_pause_seconds
            self._begin_window(self._clock())
            self._consecutive = 0
            self._enter(State.CLOSED)
            return
        self._count(failed=False)

    def failed(self, ticket: int) -> None:
        """The API did not do its work."""
        if ticket != self._generation:
            return
        if self._state is State.HALF_OPEN:
            self._pause_seconds = min(2 * self._pause_seconds, self._longest_pause_seconds)
            self._open(self._pause_seconds)
            return
        self._count(failed=True)
        if self._too_many():
            self._open(self._pause_seconds)

    def abandoned(self, ticket: int) -> None:
        """Nobody waited for the result; an abandoned probe makes room for the next one."""
        if ticket == self._generation and self._state is State.HALF_OPEN:
            self._open(0.0)

    def _too_many(self) -> bool:
        if self._consecutive >= self._consecutive_limit:
            return True
        return (
            self._requests >= self._window_minimum
            and self._failures >= self._ratio_limit * self._requests
        )

    def _count(self, *, failed: bool) -> None:
        now = self._clock()
        if now >= self._window_ends_at:
            self._begin_window(now)
        self._requests += 1
        self._failures += failed
        self._consecutive = self._consecutive + 1 if failed else 0

    def _begin_window(self, now: float) -> None:
        self._window_ends_at = now + self._window_seconds
        self._requests = self._failures = 0

    def _open(self, pause_seconds: float) -> None:
        self._opens_at = self._clock() + pause_seconds
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self._state = state
        self._generation += 1
        if self._on_change is not None:
            self._on_change(state)
