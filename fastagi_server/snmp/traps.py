"""What is worth a trap: looks at the figures again and again, and says what has changed.

Each condition is told once when it begins, and, where a manager must know, once when it ends.
Figures that come and go must not flood a manager: see `Watch`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastagi_server.snmp.objects import (
    BASE,
    LINK_NAME_ARC,
    OBJECTS,
    SERVICE_UP_ARC,
    Object,
    Oid,
    Values,
    instance,
)

LOOKS_TO_BELIEVE = 2
"""Looks in a row that must say the same before a trap says it."""

MAX_TRAPS = 10
"""Traps of one look; more are dropped."""

POOR_MOS = 3.6
GOOD_MOS = 3.8
"""Under the first, users are dissatisfied (ITU-T G.107 annex B); over the second it is over."""

MAX_ERROR_RATE = 0.05
"""Registrations that may fail, as a part of those since the last look."""

LINK_MEASURES = ("sge_voip_ari_link_up", "sge_voip_ami_link_up")

_BY_NAME = {each.name: each for each in OBJECTS}


@dataclass(frozen=True, slots=True)
class Notification:
    """One kind of trap: its arc under `.2.1` of the base, and the object that it carries."""

    arc: int
    name: str
    object_name: str
    meaning: str

    @property
    def oid(self) -> Oid:
        """Of the notification."""
        return (*BASE, 2, 1, self.arc)


CALL_STARTED = Notification(
    1, "voipCallStarted", "voipCallsStarted", "Calls have started since the last look."
)
CALL_ENDED = Notification(
    2, "voipCallEnded", "voipCallsEnded", "Calls have ended since the last look."
)
ROOM_CREATED = Notification(
    3, "voipRoomCreated", "voipRoomsCreated", "Rooms were created since the last look."
)
ROOM_CLOSED = Notification(
    4, "voipRoomClosed", "voipRoomsClosed", "Rooms were closed since the last look."
)
QUALITY_ISSUE = Notification(
    5, "voipQualityIssue", "voipMeanOpinionScore", "The mean opinion score is under 3.60."
)
CAPACITY_REACHED = Notification(
    6, "voipCapacityReached", "voipDrops", "Something was dropped because a limit was reached."
)
ERROR_RATE_HIGH = Notification(
    7,
    "voipErrorRateHigh",
    "voipRegistrationsFailed",
    "More than one in twenty registrations has failed since the last look.",
)
SERVICE_DOWN = Notification(
    9, "voipServiceDown", "voipServiceUp", "The service does not give its measures."
)
SERVICE_RESTORED = Notification(
    10, "voipServiceRestored", "voipServiceUp", "The service gives its measures again."
)
LINK_LOST = Notification(11, "voipLinkLost", "voipLinkName", "A link to Asterisk was lost.")
LINK_RESTORED = Notification(
    12, "voipLinkRestored", "voipLinkName", "A link to Asterisk that was lost is up again."
)

NOTIFICATIONS: tuple[Notification, ...] = (
    CALL_STARTED,
    CALL_ENDED,
    ROOM_CREATED,
    ROOM_CLOSED,
    QUALITY_ISSUE,
    CAPACITY_REACHED,
    ERROR_RATE_HIGH,
    SERVICE_DOWN,
    SERVICE_RESTORED,
    LINK_LOST,
    LINK_RESTORED,
)

_HAPPENINGS = (CALL_STARTED, CALL_ENDED, ROOM_CREATED, ROOM_CLOSED)

_SNMPTRAP_TYPES = {"gauge": "u", "counter64": "C", "text": "s"}


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap to send: its variable's OID, type letter of snmptrap(1) and value as text."""

    notification: Notification
    oid: Oid
    kind: str
    value: str


class Condition:
    """Whether something is so, believed after some looks in a row that say it."""

    def __init__(self, *, holds: bool = False) -> None:
        self.holds = holds
        self._contrary = 0

    def look(self, holds: bool) -> bool:  # noqa: FBT001 - what was seen
        """Take what a look saw; whether belief changed."""
        self._contrary = self._contrary + 1 if holds is not self.holds else 0
        if self._contrary < LOOKS_TO_BELIEVE:
            return False
        self.holds, self._contrary = holds, 0
        return True


class Watch:
    """Turns looks into traps. `happenings` adds those about calls and rooms.

    A look gives 10 traps at most; `dropped` counts the others.
    """

    def __init__(self, *, happenings: bool = False) -> None:
        self._happenings = happenings
        self._down = Condition()
        self._poor = Condition()
        self._lost: dict[str, Condition] = {}
        self._last: Values | None = None
        self.dropped = 0

    def look(self, values: Values | None) -> Sequence[Trap]:
        """What is to be told after a look; None for a service that did not answer."""
        traps = list(self._service(values))
        if values is not None:
            traps += self._links(values)
            traps += self._quality(values)
            if self._last is not None:
                traps += self._counts(values, self._last)
            self._last = values
        self.dropped += max(0, len(traps) - MAX_TRAPS)
        return traps[:MAX_TRAPS]

    def _service(self, values: Values | None) -> Iterator[Trap]:
        if self._down.look(values is None):
            kind = SERVICE_DOWN if self._down.holds else SERVICE_RESTORED
            value = "0" if self._down.holds else "1"
            yield Trap(kind, instance(SERVICE_UP_ARC), "u", value)

    def _links(self, values: Values) -> Iterator[Trap]:
        for measure in LINK_MEASURES:
            for labels, up in values.get(measure, ()):
                name = labels[0] if labels else measure
                condition = self._lost.setdefault(name, Condition())
                if condition.look(up < 1):
                    kind = LINK_LOST if condition.holds else LINK_RESTORED
                    yield Trap(kind, instance(LINK_NAME_ARC), "s", name)

    def _quality(self, values: Values) -> Iterator[Trap]:
        text = _BY_NAME["voipMeanOpinionScore"].text(values)
        if text is None:
            return
        limit = GOOD_MOS if self._poor.holds else POOR_MOS
        if self._poor.look(float(text) < limit) and self._poor.holds:
            yield _trap(QUALITY_ISSUE, values)

    def _counts(self, values: Values, last: Values) -> Iterator[Trap]:
        if self._happenings:
            for each in _HAPPENINGS:
                if _grown(_BY_NAME[each.object_name], values, last):
                    yield _trap(each, values)
        if _grown(_BY_NAME["voipDrops"], values, last):
            yield _trap(CAPACITY_REACHED, values)
        failed = _grown(_BY_NAME["voipRegistrationsFailed"], values, last)
        if failed > MAX_ERROR_RATE * _grown(_BY_NAME["voipRegistrations"], values, last):
            yield _trap(ERROR_RATE_HIGH, values)


def _trap(notification: Notification, values: Values) -> Trap:
    carried = _BY_NAME[notification.object_name]
    text = carried.text(values) or "0"
    return Trap(notification, carried.oid, _SNMPTRAP_TYPES[carried.syntax], text)


def _grown(counter: Object, values: Values, last: Values) -> int:
    """By how much a counter has grown; from 0 after a new start of the service."""
    now, before = int(counter.text(values) or 0), int(counter.text(last) or 0)
    return now - before if now >= before else now
