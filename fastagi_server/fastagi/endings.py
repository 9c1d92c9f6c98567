"""How a session ends: the variables the dialplan gets, and what is done when it went wrong.

Every session ends with `SGE_STATUS` set. `SGE_ERROR` is one of the fixed texts below or empty, and
`SGE_ERROR_CODE` a stable word to test for; neither ever holds text from the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from fastagi_server.agi.command import Command
from fastagi_server.agi.commands import set_context, set_extension, set_priority
from fastagi_server.agi.errors import AgiGuardError

OK = "OK"
FAILED = "FAILED"
REFUSED = "REFUSED"

TEXTS: Mapping[str, str] = {
    "bad_argument": "Bad argument",
    "budget_exceeded": "Took too long",
    "challenge_failed": "Not authorised",
    "command_failed": "Command failed",
    "command_timeout": "No answer from Asterisk",
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
    at `context`, `extension`, `priority`). Raises `AgiGuardError` for a target that cannot be
    written to Asterisk.
    """

    action: Literal["continue", "failure", "goto"]
    context: str = ""
    extension: str = ""
    priority: str = ""

    def __post_init__(self) -> None:
        self.commands()

    @classmethod
    def from_text(cls, text: str) -> "OnError":
        """Read `continue`, `failure` or `goto:context,extension,priority`.

        Raises `ValueError` with the reason.
        """
        match text.strip().partition(":"):
            case ("continue" | "failure") as action, "", "":
                return cls(action)
            case "goto", ":", target:
                parts = [part.strip() for part in target.split(",")]
                if len(parts) == len(("context", "extension", "priority")) and all(parts):
                    return cls._goto(text, *parts)
            case _:
                pass
        raise ValueError(f"{text!r} is none of: continue, failure, goto:context,extension,priority")

    @classmethod
    def _goto(cls, text: str, context: str, extension: str, priority: str) -> "OnError":
        try:
            return cls("goto", context, extension, priority)
        except AgiGuardError as error:
            raise ValueError(f"{text!r}: {error}") from None

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


@dataclass(slots=True)
class Ending:
    """What a session leaves behind: the variables, and a word for the log and the measure."""

    outcome: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def assignments(self) -> list[tuple[str, str]]:
        """Names and values in the order in which they are set: SGE_STATUS last.

        A hang-up may end the session between two of them (AGIEXITONHANGUP). A dialplan that sees
        SGE_STATUS can so rely on the others.
        """
        pairs = [pair for pair in self.variables.items() if pair[0] != "SGE_STATUS"]
        if len(pairs) < len(self.variables):
            pairs.append(("SGE_STATUS", self.variables["SGE_STATUS"]))
        return pairs

    @property
    def failed(self) -> bool:
        """Whether the route's `on_error` applies."""
        return self.variables.get("SGE_STATUS") in {FAILED, REFUSED}

    @property
    def code(self) -> str:
        """The stable error code, "" when there is none."""
        return self.variables.get("SGE_ERROR_CODE", "")


def completed(returned: object) -> Ending:
    """The ending of a route that returned; one that names no SGE_STATUS succeeded.

    Raises `TypeError` when `returned` is neither None nor a mapping of text to text: a route need
    not have seen a type checker, and what is no text could hold anything once it is written.
    """
    variables = {"SGE_STATUS": OK, "SGE_ERROR": "", "SGE_ERROR_CODE": ""}
    if returned is not None and not isinstance(returned, (dict, Mapping)):
        raise TypeError(f"a route returns a mapping or None, not {type(returned).__name__}")
    for name, value in cast("Mapping[object, object]", returned or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"the channel variable {name!r} is a {type(value).__name__}, not text")
        variables[name] = value
    return Ending("completed", variables)


def failed(code: str) -> Ending:
    """The ending of a session that the server itself gave up, by a code of `TEXTS`."""
    return Ending(code, {"SGE_STATUS": FAILED, "SGE_ERROR": TEXTS[code], "SGE_ERROR_CODE": code})
