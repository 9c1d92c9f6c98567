"""The SNMP objects: their OIDs, and their values out of the measures."""

import pytest

from fastagi_server.snmp.objects import OBJECTS, Object, Values, dotted

BASE = ".1.3.6.1.4.1.8072.1.3.2.3.2"


def named(name: str) -> Object:
    """One object."""
    return next(each for each in OBJECTS if each.name == name)


@pytest.mark.parametrize(
    ("name", "oid"),
    [
        ("voipActiveCalls", ".1.1.1"),
        ("voipActiveChannels", ".1.2.1"),
        ("voipActiveBridges", ".1.3.1"),
        ("voipRegisteredEndpoints", ".1.4.1"),
        ("voipMeanOpinionScore", ".1.9.1"),
    ],
)
def test_documented_oids(name: str, oid: str) -> None:
    """What managers were told to ask for is where they were told."""
    assert dotted(named(name).oid) == BASE + oid


def test_arcs_are_unique_and_in_order() -> None:
    """Each object has an arc of its own, and a walk meets them in ascending order."""
    arcs = [each.arc for each in OBJECTS]
    assert arcs == sorted(set(arcs))
    assert not {5, 6, 7, 8} & set(arcs), "these were given other meanings elsewhere"
    assert len({each.name for each in OBJECTS}) == len(OBJECTS)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        (
            "voipActiveCalls",
            {"sge_voip_calls_active": [(("ringing",), 2), (("connected",), 3)]},
            "5",
        ),
        ("voipMeanOpinionScore", {"sge_voip_mos": [((), 4.2149)]}, "4.21"),
        ("voipMeanOpinionScore", {"sge_voip_mos": [(("0",), 4.0)]}, "4.00"),
        ("voipActiveChannels", {}, None),
        ("voipOutboxDead", {"sge_voip_outbox_depth": [(("pending",), 7), (("dead",), 1)]}, "1"),
        ("voipOutboxPending", {"sge_voip_outbox_depth": [(("pending", "0"), 7)]}, "7"),
        ("voipRegistrations", {}, "0"),
        (
            "voipCallsStarted",
            {"sge_voip_calls_total": [(("created",), 2), (("adopted",), 3), (("ended",), 4)]},
            "5",
        ),
        ("voipOutboxOldestSeconds", {"sge_voip_outbox_oldest_age_seconds": [((), 12.6)]}, "13"),
        ("voipAgiSessionsOpen", {"sge_voip_agi_sessions_open": [((), -1.0)]}, "0"),
        ("voipAgiSessionsOpen", {"sge_voip_agi_sessions_open": [((), 1e12)]}, "4294967295"),
        ("voipDrops", {"sge_voip_drops_total": [(("x",), 2.0**64)]}, "0"),
        ("voipMeanOpinionScore", {"sge_voip_mos": [((), float("nan"))]}, None),
        ("voipServiceUp", {}, "1"),
    ],
)
def test_values(name: str, values: Values, text: str | None) -> None:
    """A value is the sum of the series that count, in the form and range of its type."""
    assert named(name).text(values) == text


def test_object_of_some_series_says_so() -> None:
    """The meaning names the label values that are counted."""
    assert (
        named("voipOutboxDead").meaning
        == "Entries in the outbox, by state (pending, dead): dead only"
    )
