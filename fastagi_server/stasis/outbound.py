"""The application `sky-genesis-outbound`: one of our users calls a number outside.

    Stasis(sky-genesis-outbound,number)

It goes out through one trunk. Which numbers may be called is a policy of patterns; who may call
them is the context of the caller's channel, so that nobody calls out through us from outside.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from fastagi_server.ari.events import StasisStart
from fastagi_server.calls.causes import Cause
from fastagi_server.stasis.voip import Arrivals

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": "[0-9*#]+", "!": "[0-9*#]*"}

_log = structlog.stdlib.get_logger("calls")


def pattern_of(text: str) -> re.Pattern[str]:
    """A pattern in the dialplan's own letters: X 0-9, Z 1-9, N 2-9, `.` one or more, `!` any.

    A leading `_` may be there, as in the dialplan. Raises ValueError for anything else.
    """
    letters = text.strip().removeprefix("_").upper()
    if not letters or not all(
        letter in _CLASSES or letter in "0123456789*#+" for letter in letters
    ):
        raise ValueError(f"{text!r} is no pattern of digits, X, Z, N, '.' and '!'")
    return re.compile("".join(_CLASSES.get(letter, re.escape(letter)) for letter in letters))


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """What may be called from where.

    A number is allowed that matches a pattern of `allow` and none of `deny`, from a channel whose
    dialplan context is one of `contexts`. `trunk` is a dial string without a resource before `@`,
    such as `PJSIP/sky-genesis-trunk`; empty forbids everything.
    """

    trunk: str
    contexts: frozenset[str]
    allow: Sequence[re.Pattern[str]]
    deny: Sequence[re.Pattern[str]] = ()

    def endpoint(self, number: str) -> str:
        """What to ring for a number."""
        technology, _, trunk = self.trunk.partition("/")
        return f"{technology}/{number}@{trunk}"

    def refusal(self, number: str, context: str, channel_name: str) -> str:
        """Why this number may not be called from this channel; empty when it may."""
        if not self.trunk:
            return "no_trunk"
        if context not in self.contexts or channel_name.startswith(f"{self.trunk}-"):
            return "context_not_allowed"
        if _NUMBER.fullmatch(number) is None:
            return "no_number"
        if not any(pattern.fullmatch(number) for pattern in self.allow):
            return "number_not_allowed"
        if any(pattern.fullmatch(number) for pattern in self.deny):
            return "number_denied"
        return ""


class OutboundApplication:
    """What `sky-genesis-outbound` does with a caller."""

    def __init__(self, arrivals: Arrivals, policy: OutboundPolicy) -> None:
        self._arrivals = arrivals
        self._policy = policy

    async def enter(self, event: StasisStart) -> None:
        """Ring the number through the trunk; a caller who may not hears cause 21 (rejected)."""
        channel = event.channel
        number = event.args[0] if event.args else channel.dialplan_exten
        refusal = self._policy.refusal(number, channel.dialplan_context, channel.name)
        if refusal:
            _log.warning("outbound_refused", channel=channel.id, reason=refusal)
            await self._arrivals.lead(channel, "unknown", (), refusal=Cause.REJECTED)
            return
        endpoint = self._policy.endpoint(number)
        await self._arrivals.lead(channel, endpoint, (endpoint,))
