"""What may be called outside, beyond the trunk, and by whom.

A call to outside costs money, and whoever gets at a telephone system tries to make it place some.
So everything is forbidden that is not allowed, number by number; who may call them is the context
of the caller's channel, or for a user of the API a setting.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastagi_server.calls.participants import rings_outside
from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": "[0-9*#]+", "!": "[0-9*#]*"}


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
    dialplan context is one of `contexts`, and for users of the API if `for_users`. `trunk` is a
    dial string without a resource before `@`, such as `PJSIP/sky-genesis-trunk`; empty forbids
    everything. The `browsers` of users are telephones of the PBX's own.
    """

    trunk: str = ""
    contexts: frozenset[str] = frozenset()
    allow: Sequence[re.Pattern[str]] = ()
    deny: Sequence[re.Pattern[str]] = ()
    for_users: bool = False
    browsers: BrowserEndpoint = NO_BROWSERS

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
        return self._number_refusal(number)

    def user_refusal(self, participant: str) -> str:
        """Why a user may not have this checked participant rung; empty when he may.

        The PBX's own telephones he may always ring. What lies outside must be written exactly as
        `endpoint` writes it: whatever else a PBX would take for the same trunk is refused.
        """
        if not self._lies_outside(participant):
            return ""
        if not self.trunk or not self.for_users:
            return "users_not_allowed"
        number = participant.partition("/")[2].partition("@")[0]
        if participant != self.endpoint(number):
            return "not_by_trunk"
        return self._number_refusal(number)

    def _lies_outside(self, participant: str) -> bool:
        if self.browsers.user_of(participant) is not None:
            return False
        if rings_outside(participant):
            return True
        # The trunk by itself looks like a telephone, whichever name its technology has.
        _, slash, resource = participant.partition("/")
        return bool(slash) and resource.casefold() == self.trunk.partition("/")[2].casefold()

    def _number_refusal(self, number: str) -> str:
        if _NUMBER.fullmatch(number) is None:
            return "no_number"
        if not any(pattern.fullmatch(number) for pattern in self.allow):
            return "number_not_allowed"
        if any(pattern.fullmatch(number) for pattern in self.deny):
            return "number_denied"
        return ""


NO_CALLS_OUT = OutboundPolicy()
