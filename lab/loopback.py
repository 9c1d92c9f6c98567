"""JSON over HTTP to a port of this machine: ARI, and the service's API."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from lab.errors import CommandError

REQUEST_SECONDS = 10


def ask(
    port: int, method: str, path: str, headers: Mapping[str, str], body: Any | None = None
) -> Any:
    """Send one request to 127.0.0.1:`port` and return its JSON, None for an empty answer.

    Raises CommandError with the answer's own words for a status of 400 and more, and when there
    is no answer within 10 s.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    # A proxy from the environment must not see requests to loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=REQUEST_SECONDS) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        raise CommandError(f"{method} {path}: {error.code} {error.read().decode()}") from error
    except OSError as error:
        raise CommandError(f"{method} {path}: {error}") from error
    return json.loads(text) if text else None
