"""What Asterisk is told to ring for a participant or a dialled number."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastagi_server.calls.participants import is_dial_string
from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint

_EXTENSION = re.compile(r"[0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The rules: `maps_sip` rings `SIP/x` as `PJSIP/x`, because chan_sip left Asterisk in 21.

    `extensions` gives a dialled number several dial strings; any other number rings the PJSIP
    endpoint of that name. A user is rung in his browsers, behind the endpoint `browsers`, while
    he `is_reachable` there.
    """

    maps_sip: bool = True
    extensions: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    browsers: BrowserEndpoint = NO_BROWSERS
    is_reachable: Callable[[str], bool] = lambda _: False

    def of_dial_string(self, dial_string: str) -> str:
        """What to ring for a dial string as a client wrote it."""
        user = self.browsers.user_of(dial_string)
        if user is not None:
            return self.browsers.dial_string(user)
        technology, _, resource = dial_string.partition("/")
        if self.maps_sip and technology.upper() == "SIP":
            return f"PJSIP/{resource}"
        return dial_string

    def of_participant(self, participant: str) -> tuple[str, ...]:
        """What to ring for whom a browser calls: an extension, a dial string, or a user."""
        technology, slash, resource = participant.partition("/")
        if not slash:
            return self.of_user(participant)
        if technology.upper() in {"SIP", "PJSIP"} and resource in self.extensions:
            return self.of_extension(resource)
        return (self.of_dial_string(participant),)

    def of_user(self, user: str) -> tuple[str, ...]:
        """What to ring for a user; nothing where no page of his could."""
        if not self.browsers.name or not self.is_reachable(user):
            return ()
        return (self.browsers.dial_string(user),)

    def of_leg(self, participant: str) -> tuple[str, ...]:
        """What to ring for one participant of a call that is placed: one endpoint, or none."""
        if is_dial_string(participant):
            return (self.of_dial_string(participant),)
        return self.of_user(participant)

    def of_extension(self, extension: str) -> tuple[str, ...]:
        """What to ring for a dialled number; nothing for what is not made of digits."""
        if _EXTENSION.fullmatch(extension) is None:
            return ()
        listed = self.extensions.get(extension)
        if listed:
            return tuple(self.of_dial_string(each) for each in listed)
        return (f"PJSIP/{extension}",)
