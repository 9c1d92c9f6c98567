"""What Asterisk is told to ring for a participant or a dialled number."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_EXTENSION = re.compile(r"[0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The rules: `maps_sip` rings `SIP/x` as `PJSIP/x`, because chan_sip left Asterisk in 21.

    `extensions` gives a dialled number several dial strings; any other number rings the PJSIP
    endpoint of that name.
    """

    maps_sip: bool = True
    extensions: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def of_dial_string(self, dial_string: str) -> str:
        """What to ring for a dial string as a client wrote it."""
        technology, _, resource = dial_string.partition("/")
        if self.maps_sip and technology.upper() == "SIP":
            return f"PJSIP/{resource}"
        return dial_string

    def of_extension(self, extension: str) -> tuple[str, ...]:
        """What to ring for a dialled number; nothing for what is not made of digits."""
        if _EXTENSION.fullmatch(extension) is None:
            return ()
        listed = self.extensions.get(extension)
        if listed:
            return tuple(self.of_dial_string(each) for each in listed)
        return (f"PJSIP/{extension}",)
