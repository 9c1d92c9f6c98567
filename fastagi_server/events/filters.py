"""Which types somebody wants: `call.ended`, all of a family as `call.*`, or everything as `*`."""

import re
from collections.abc import Collection

PATTERN = r"^(\*|[a-z_]+\.(\*|[a-z_]+))$"
MAX_PATTERNS = 32

_PATTERN = re.compile(PATTERN)


class TypeFilter:
    """Wants the types that one of the patterns fits; all without a pattern.

    A gap is wanted by everybody. Raises `ValueError` for a pattern that is none.
    """

    def __init__(self, patterns: Collection[str] = ()) -> None:
        for pattern in patterns:
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(
                    f"{pattern!r} is not a type of events such as call.ended or call.*"
                )
        self._all = not patterns or "*" in patterns
        self._families = frozenset(each[:-1] for each in patterns if each.endswith(".*"))
        self._types = frozenset(patterns)

    def wants(self, event_type: str) -> bool:
        """Whether events of this type are wanted."""
        if self._all or event_type in self._types:
            return True
        return event_type[: event_type.find(".") + 1] in self._families
