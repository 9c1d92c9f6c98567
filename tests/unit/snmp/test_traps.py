"""What is worth a trap, and what is not."""

import pytest

from fastagi_server.snmp.objects import Values, dotted
from fastagi_server.snmp.traps import NOTIFICATIONS, Condition, Watch

QUIET: Values = {}


def looks(*seen: Values | None, happenings: bool = False) -> list[list[tuple[str, str]]]:
    """Name and value of the traps after each look."""
    watch = Watch(happenings=happenings)
    return [[(trap.notification.name, trap.value) for trap in watch.look(each)] for each in seen]


def link(up: float) -> Values:
    """A link that is up or not."""
    return {"sge_voip_ari_link_up": [(("ari",), up)]}


def mos(score: float) -> Values:
    """How calls sound."""
    return {"sge_voip_mos": [((), score)]}


def registrations(good: float, failed: float) -> Values:
    """Registrations since the start."""
    return {
        "sge_voip_registrations_total": [
            (("REGISTERED", "none"), good),
            (("FAILED", "outbox_full"), failed),
        ]
    }


@pytest.mark.parametrize(
    ("name", "arc"),
    [
        ("voipCallStarted", 1),
        ("voipCallEnded", 2),
        ("voipRoomCreated", 3),
        ("voipRoomClosed", 4),
        ("voipQualityIssue", 5),
        ("voipCapacityReached", 6),
        ("voipErrorRateHigh", 7),
    ],
)
def test_documented_oids(name: str, arc: int) -> None:
    """The traps that managers know are where they know them."""
    found = next(each for each in NOTIFICATIONS if each.name == name)
    assert dotted(found.oid) == f".1.3.6.1.4.1.8072.1.3.2.3.2.2.1.{arc}"


def test_condition_is_believed_when_it_lasts() -> None:
    """One look that says otherwise changes nothing; two do, once."""
    condition = Condition()
    assert [condition.look(holds) for holds in (True, False, True, True, True)] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert condition.holds


def test_service_down_and_up_again() -> None:
    """It is told once each, after the second look that says so."""
    assert looks(QUIET, None, None, None, QUIET, QUIET, QUIET) == [
        [],
        [],
        [("voipServiceDown", "0")],
        [],
        [],
        [("voipServiceRestored", "1")],
        [],
    ]


def test_service_that_starts_anew() -> None:
    """A look that fell into a restart tells nothing."""
    assert looks(QUIET, None, QUIET, None, QUIET) == [[], [], [], [], []]


def test_link_lost_and_restored() -> None:
    """Each link is told by its name."""
    assert looks(link(1), link(0), link(0), link(0), link(1), link(1)) == [
        [],
        [],
        [("voipLinkLost", "ari")],
        [],
        [],
        [("voipLinkRestored", "ari")],
    ]


def test_poor_quality() -> None:
    """It is told when it lasts, and again only after it was good."""
    poor, fair, good = mos(3.1), mos(3.7), mos(4.2)
    assert looks(good, poor, poor, poor, fair, fair, poor, poor)[2:] == [
        [("voipQualityIssue", "3.10")],
        [],
        [],
        [],
        [],
        [],
    ]
    assert looks(poor, poor, good, good, poor, poor)[-1] == [("voipQualityIssue", "3.10")]


def test_quality_that_is_not_known() -> None:
    """Without calls there is nothing to tell."""
    assert looks(mos(3.1), QUIET, QUIET, QUIET) == [[], [], [], []]


def test_limit_that_was_reached() -> None:
    """Drops are told when they grow, with the count; those before the first look are not."""
    two: Values = {"sge_voip_drops_total": [(("log_line",), 2)]}
    five: Values = {"sge_voip_drops_total": [(("log_line",), 5)]}
    assert looks(two, two, five) == [[], [], [("voipCapacityReached", "5")]]


def test_count_that_starts_anew() -> None:
    """After a restart of the service counts from 0 are counts."""
    five: Values = {"sge_voip_drops_total": [(("log_line",), 5)]}
    two: Values = {"sge_voip_drops_total": [(("log_line",), 2)]}
    assert looks(five, two)[1] == [("voipCapacityReached", "2")]


def test_failed_registrations() -> None:
    """More than one in twenty since the last look is told."""
    assert looks(registrations(100, 0), registrations(195, 5)) == [[], []]
    assert looks(registrations(100, 0), registrations(194, 6))[1] == [("voipErrorRateHigh", "6")]
    assert looks(registrations(100, 6), registrations(200, 6))[1] == []


def test_happenings_are_told_where_they_are_wanted() -> None:
    """Calls and rooms are told once a look, with their counts, if at all."""
    before: Values = {"sge_voip_calls_total": [(("created",), 1)]}
    after: Values = {
        "sge_voip_calls_total": [(("created",), 3), (("ended",), 1)],
        "sge_voip_rooms_total": [(("created",), 1), (("closed",), 1)],
    }
    assert looks(before, after) == [[], []]
    assert looks(before, after, happenings=True)[1] == [
        ("voipCallStarted", "3"),
        ("voipCallEnded", "1"),
        ("voipRoomCreated", "1"),
        ("voipRoomClosed", "1"),
    ]


def test_flood_is_cut() -> None:
    """A look tells ten things at most; the others are counted."""
    watch = Watch()
    lost: Values = {"sge_voip_ari_link_up": [((f"pbx-{number}",), 0) for number in range(25)]}
    assert watch.look(lost) == []
    assert len(watch.look(lost)) == 10
    assert watch.dropped == 15
