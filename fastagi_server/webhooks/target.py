"""One target of webhooks, and one attempt to tell it something."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import httpx
import structlog

from fastagi_server.events.filters import TypeFilter
from fastagi_server.webhooks.signature import HEADER, sign

log = structlog.get_logger()

CONNECTIONS = 8
"""Deliveries to one target at a time, each of another call."""

ATTEMPT_SECONDS = 10.0
MAX_PAUSE_SECONDS = 300.0
"""However long a target asks to be left alone, it is asked again after this time."""

BODY_SECONDS = 1.0
MAX_BODY_BYTES = 64 * 1024
"""Of an answer's body, which is thrown away so that the connection can be used again."""

_REFUSALS = frozenset({400, 410, 413, 422})
"""Statuses that say: not this event, not ever. Any other one may be a matter of settings."""


class Outcome(Enum):
    """What became of an attempt; the values are those of the measure."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt, why, and how many seconds the target asks to be left alone."""

    outcome: Outcome
    reason: str = ""
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """Who is told of what: a URL of http or https, and the types of events.

    With a `secret` deliveries are signed. `ca_file` is what an https target's certificate is
    checked against instead of the system's authorities.
    """

    name: str
    url: str
    types: TypeFilter = field(default_factory=TypeFilter)
    secret: bytes = field(default=b"", repr=False)
    ca_file: Path | None = None
    attempt_seconds: float = ATTEMPT_SECONDS


class Poster:
    """Tells one target; the client's connections are used for nothing else."""

    def __init__(
        self,
        target: Target,
        client: httpx.AsyncClient,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._client = client
        self._wall_clock = wall_clock

    async def post(self, body: bytes, event_id: str) -> Attempt:
        """Send a body once; any 2xx within the target's time is success. Never raises."""
        try:
            async with asyncio.timeout(self._target.attempt_seconds):
                answer = await self._client.send(self._request(body, event_id), stream=True)
        except TimeoutError:
            seconds = self._target.attempt_seconds
            return Attempt(Outcome.FAILED, f"no answer within {seconds:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Attempt(Outcome.FAILED, f"{type(error).__name__}: {error}")
        except Exception as error:
            # Whatever it was: the event must not be lost for it, nor those behind it.
            log.exception("webhook_attempt_failed", target=self._target.name)
            return Attempt(Outcome.FAILED, type(error).__name__)
        await _throw_away(answer)
        return _judged(answer)

    def _request(self, body: bytes, event_id: str) -> httpx.Request:
        headers = {"Content-Type": "application/json", "X-SGE-Event": event_id}
        if self._target.secret:
            headers[HEADER] = sign(self._target.secret, body, int(self._wall_clock()))
        return self._client.build_request("POST", self._target.url, content=body, headers=headers)


async def _throw_away(answer: httpx.Response) -> None:
    """Read the body, of which only a little is waited for: the status has said everything."""
    read = 0
    with suppress(TimeoutError, httpx.HTTPError, httpx.StreamError):
        async with asyncio.timeout(BODY_SECONDS), aclosing(answer):
            async for chunk in answer.aiter_raw():
                read += len(chunk)
                if read > MAX_BODY_BYTES:
                    return


def _judged(answer: httpx.Response) -> Attempt:
    if answer.is_success:
        return Attempt(Outcome.DELIVERED)
    reason = f"status {answer.status_code}"
    if answer.status_code in _REFUSALS:
        return Attempt(Outcome.REFUSED, reason)
    asked = answer.headers.get("Retry-After", "")
    pause = float(asked[:9]) if asked.isascii() and asked.isdigit() else 0.0
    return Attempt(Outcome.FAILED, reason, min(pause, MAX_PAUSE_SECONDS))


@asynccontextmanager
async def open_poster(target: Target, *, user_agent: str) -> AsyncGenerator[Poster]:
    """A poster with connections of its own; redirects are not followed, proxies not used."""
    ca_file = target.ca_file
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with httpx.AsyncClient(
        verify=context,
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - each attempt as a whole has a deadline
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        headers={"User-Agent": user_agent},
    ) as client:
        yield Poster(target, client)
