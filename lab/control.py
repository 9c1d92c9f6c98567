"""ARI of one instance, the little of it that placing and watching calls takes."""

import base64
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import CommandError
from lab.loopback import ask


@dataclass(frozen=True)
class Control:
    """Requests to the ARI that listens on 127.0.0.1:`port`."""

    port: int
    password: str
    user: str = "sky-genesis"

    def originate(
        self,
        endpoint: str,
        *,
        context: str,
        extension: str,
        caller_id: str = "",
        channel_id: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Start a call and return its channel id at once, before anyone has answered.

        Once `endpoint` answers, its channel runs `extension` of `context`. `variables` are set
        on that channel; a name that begins with `__` reaches the far half of a Local channel too.
        """
        query = {
            "endpoint": endpoint,
            "context": context,
            "extension": extension,
            "priority": "1",
            "callerId": caller_id,
            "channelId": channel_id,
        }
        wanted = {name: value for name, value in query.items() if value}
        channel = self.request("POST", "channels", wanted, {"variables": dict(variables or {})})
        return str(channel["id"])

    def channels(self) -> list[dict[str, Any]]:
        """Return all live channels as ARI describes them."""
        listed: list[dict[str, Any]] = self.request("GET", "channels")
        return listed

    def variable(self, channel_id: str, name: str) -> str:
        """Return a variable or dialplan function of a live channel; empty when not set."""
        path = f"channels/{urllib.parse.quote(channel_id)}/variable"
        try:
            return str(self.request("GET", path, {"variable": name})["value"])
        except CommandError as error:
            if "variable was not found" in str(error):
                return ""
            raise

    def hang_up(self, channel_id: str) -> None:
        """End a channel; one that has already ended is as good."""
        try:
            self.request("DELETE", f"channels/{urllib.parse.quote(channel_id)}")
        except CommandError as error:
            if "404" not in str(error):
                raise

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send one request and return its JSON; raises CommandError with ARI's own words."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        query_text = urllib.parse.urlencode(query or {})
        headers = {"Authorization": f"Basic {login}"}
        return ask(self.port, method, f"/ari/{path}?{query_text}", headers, body)
