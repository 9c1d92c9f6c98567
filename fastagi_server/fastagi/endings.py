"""How a session ends: the variables the dialplan gets, and what is done when it went wrong.

Every session ends with `SGE_STATUS` set. `SGE_ERROR` is one of the fixed texts below or empty, and
`SGE_ERROR_CODE` a stable word to test for; neither ever holds text from the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastagi_server.agi.command import Command
from fastagi_server.agi.commands import set_context, set_extension, set_priority

OK = "OK"
FAILED = "FAILED"
REFUSED = "REFUSED"

TEXTS: Mapping[str, str] = {
    "bad_argument": "Bad argument",
    "budget_exceeded": "Took too long",
    "challenge_failed": "Not authorised",
    "draining": "Service is stopping",
    "hangup": "Caller hung up",
    "internal_error": "Internal error",
    "protocol_error": "Protocol error",
    "unknown_route": "Unknown route",
    "unwritable_variable": "Unusable answer",
}
"""Codes that the session itself gives, with the text that goes with each."""


@dataclass(frozen=True, slots=True)
class OnError:
    """What a route does when it ends FAILED or REFUSED, besides setting the variables.

    `action` is `continue` (nothing), `failure` (AGISTATUS=FAILURE) or `goto` (the dialplan goes on
    at `context`, `extension`, `priority`).
    """

    action: str
    context: str = ""
    extension: str = ""
    priority: str = ""

    @classmethod
    def from_text(cls, text: str) -> "OnError":
        """Read `continue`, `failure` or `goto:context,extension,priority`.

        Raises `ValueError` with the reason.
        """
        action, _, target = text.strip().partition(":")
        if action in {"continue", "failure"} and not target:
            return cls(action)
        parts = tuple(part.strip() for part in target.split(","))
        if (
            action == "goto"
            and len(parts) == len(("context", "extension", "priority"))
            and all(parts)
        ):
            return cls(action, *parts)
        raise ValueError(f"{text!r} is none of: continue, failure, goto:context,extension,priority")

    def commands(self) -> list[Command[None]]:
        """The commands that send the dialplan where `goto` says; none for the other actions."""
        if self.action != "goto":
            return []
        return [
            set_context(self.context),
            set_extension(self.extension),
            set_priority(self.priority),
        ]


CONTINUE = OnError("continue")
FAILURE = OnError("failure")


@dataclass(frozen=True, slots=True)
class Ending:
    """What a session leaves behind: the variables, and a word for the log and the measure."""

    outcome: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def failed(self) -> bool:
        """Whether the route's `on_error` applies."""
        return self.variables.get("SGE_STATUS") in {FAILED, REFUSED}

    @property
    def code(self) -> str:
        """The stable error code, "" when there is none."""
        return self.variables.get("SGE_ERROR_CODE", "")


def completed(variables: Mapping[str, str] | None) -> Ending:
    """The ending of a route that returned; one that names no SGE_STATUS succeeded."""
    if variables is None or "SGE_STATUS" not in variables:
        variables = {"SGE_STATUS": OK, "SGE_ERROR": "", "SGE_ERROR_CODE": "", **(variables or {})}
    return Ending("completed", variables)


def failed(code: str) -> Ending:
    """The ending of a session that the server itself gave up, by a code of `TEXTS`."""
    return Ending(code, {"SGE_STATUS": FAILED, "SGE_ERROR": TEXTS[code], "SGE_ERROR_CODE": code})
