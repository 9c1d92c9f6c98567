"""The level of log lines, which can change while the program runs.

structlog's filtering loggers are classes made for one level, and every module keeps an object of
one. So all are of one class here, whose methods are exchanged: a line below the level costs the
call of an empty function, as before.
"""

import logging
from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger

_METHODS = tuple(
    name for name in vars(structlog.make_filtering_bound_logger(0)) if not name.startswith("__")
)


class LeveledLogger(structlog.BoundLoggerBase):
    """What every logger of the process is made of; `set_level` gives it its methods."""


def leveled_logger() -> type[FilteringBoundLogger]:
    """The class, as structlog's configuration wants it."""
    return cast("type[FilteringBoundLogger]", LeveledLogger)


def set_level(level: str) -> None:
    """Log lines of `level` (such as "info") and above, and of libraries from warning on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    methods = vars(structlog.make_filtering_bound_logger(number))
    for name in _METHODS:
        setattr(LeveledLogger, name, methods[name])
    logging.getLogger().setLevel(max(number, logging.WARNING))
