"""The SNMP objects: which measure each is, under which OID, and how its value is written.

The base is the one that managers were told (`...8072.1.3.2.3.2`), and so is the form of an
instance: `.1.<arc>.1`. Read as SMIv2 that is a table with one row, whose index is 1.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastagi_server.telemetry.kinds import Measure, Syntax
from fastagi_server.telemetry.measures import TABLE

BASE = (1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 2)

SERVICE_UP_ARC = 22
"""voipServiceUp: 1 while the service gives its measures; the only object that is always there."""

LINK_NAME_ARC = 27
INDEX_ARC = 100
"""Columns that only notifications and the index of the table need."""

_GAUGE_LIMIT = 2**32 - 1
_COUNTER_SPAN = 2**64

Oid = tuple[int, ...]
Values = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]
"""Series by the name of their measure: label values and value."""


@dataclass(frozen=True, slots=True)
class Object:
    """One object; `measure` is None for voipServiceUp."""

    arc: int
    name: str
    syntax: Syntax
    meaning: str
    measure: Measure | None = None
    where: tuple[str, ...] = ()

    @property
    def oid(self) -> Oid:
        """Of its only instance."""
        return instance(self.arc)

    def text(self, values: Values) -> str | None:
        """Its value as snmpd wants it written; None while it is not known."""
        if self.measure is None:
            return "1"
        series = values.get(self.measure.name, ())
        if self.measure.is_present and not series:
            return None
        total = sum(value for labels, value in series if _chosen(labels, self.where))
        return _written(total, self.syntax) if math.isfinite(total) else None


def _objects() -> Iterable[Object]:
    for measure in TABLE:
        for each in measure.snmp:
            meaning = measure.meaning
            if each.where:
                meaning += f": {' and '.join(each.where)} only"
            yield Object(each.arc, each.name, each.syntax, meaning, measure, each.where)
    yield Object(
        SERVICE_UP_ARC,
        "voipServiceUp",
        "gauge",
        "1 while the service gives its measures, 0 when it does not answer",
    )


def instance(arc: int) -> Oid:
    """The OID of the only instance of an object."""
    return (*BASE, 1, arc, 1)


def dotted(oid: Oid) -> str:
    """An OID as snmpd writes it, with a leading dot."""
    return "".join(f".{arc}" for arc in oid)


OBJECTS: tuple[Object, ...] = tuple(sorted(_objects(), key=lambda each: each.arc))
"""All of them, in the order of their OIDs."""


def _chosen(labels: tuple[str, ...], where: tuple[str, ...]) -> bool:
    return not where or any(label in where for label in labels)


def _written(value: float, syntax: Syntax) -> str:
    match syntax:
        case "text":
            return f"{value:.2f}"
        case "counter64":
            return str(int(value) % _COUNTER_SPAN)
        case "gauge":
            return str(min(max(round(value), 0), _GAUGE_LIMIT))
