"""Where the figures come from: the service's measures, over HTTP, as Prometheus gets them.

So the command needs no settings, no rights and no file of the service: snmpd runs as a user of its
own. Whoever asks here waits half a second at most, once for an answer that does not come.
"""

import re
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlsplit

from fastagi_server.snmp.objects import Values

FRESH_SECONDS = 1.0
"""How old figures may be that are given again without asking."""

STALE_SECONDS = 30.0
"""How old they may be, unless told, while the service does not answer; then it is away."""

PATIENCE_SECONDS = 0.5
FETCH_SECONDS = 2.0
MAX_BYTES = 8 * 1024 * 1024

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The service is near: a proxy of this host's environment is for other places."""

_LINE = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'[A-Za-z_][A-Za-z0-9_]*="((?:[^"\\]|\\.)*)"')

Fetch = Callable[[], Values]


class SourceError(Exception):
    """The service did not give its measures; the text says why."""


class Source:
    """The present figures of one service; `fetch` may take its time and raises SourceError."""

    def __init__(
        self,
        fetch: Fetch,
        clock: Callable[[], float] = time.monotonic,
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._fetch = fetch
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._values: Values | None = None
        self._at = float("-inf")
        self._fetched: threading.Event | None = None

    def values(self) -> Values | None:
        """Figures of the last second, or the last ones unless they are too old, or None."""
        if self._clock() - self._at < FRESH_SECONDS:
            return self._values
        fetched = self._fetched
        if fetched is None or fetched.is_set():
            # The first to ask waits; while that goes on nobody else does.
            fetched = self._fetched = threading.Event()
            threading.Thread(target=self._run, args=(fetched,), daemon=True).start()
            fetched.wait(PATIENCE_SECONDS)
        return self._values if self._clock() - self._at < self._stale_seconds else None

    def _run(self, fetched: threading.Event) -> None:
        try:
            self._values = self._fetch()
            self._at = self._clock()
        except SourceError:
            pass  # what is known grows old meanwhile
        finally:
            fetched.set()


def fetch_from(url: str) -> Values:
    """The measures at an http or https address. Raises SourceError."""
    try:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise SourceError(f"{url} is no http address")
        with _OPENER.open(url, timeout=FETCH_SECONDS) as answer:
            document: bytes = answer.read(MAX_BYTES)
    except (OSError, ValueError, HTTPException) as error:
        raise SourceError(f"{url}: {error}") from None
    return parse(document.decode("utf-8", "replace"))


def parse(document: str) -> Values:
    """The series of a document in Prometheus' text format. Raises SourceError when it is none."""
    found: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for line in document.splitlines():
        if not line or line.startswith("#"):
            continue
        read = _LINE.fullmatch(line)
        if read is None:
            raise SourceError("what came are no measures")
        name, labels, value = read.groups()
        try:
            number = float(value)
        except ValueError:
            raise SourceError("what came are no measures") from None
        found.setdefault(name, []).append((tuple(_LABEL.findall(labels or "")), number))
    return found
