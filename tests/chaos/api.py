"""What a run needs of its SGE API, whichever it is."""

import random
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from .story import Record, Step

LONGEST_SPELL_SECONDS: Final = 1.0
"""How long one kind of weather lasts at most."""


class Api(Protocol):
    """The SGE API of a run; its weather makes it obey late, badly or not at all."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What the server must be told to use it."""
        ...

    async def weather(self, chance: random.Random) -> None:
        """Change between good and bad for ever; once this is cancelled all is well."""
        ...

    def records(self) -> list[Record]:
        """Every call there is; to be asked when the server has stopped."""
        ...

    def steps(self, record: Record) -> Iterable[Step]:
        """What the API saw of one call."""
        ...

    def summary(self) -> str:
        """What the API went through, in a few words."""
        ...
