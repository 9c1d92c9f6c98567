"""Events that are made of measures."""

from datetime import UTC, datetime

from fastagi_server.events.links import MeasureWatch
from fastagi_server.events.models import Event
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_links_are_told_when_they_change() -> None:
    """A link is told of when it is up, and at each change; one that was never up is not news."""
    measures, published = Measures(), list[Event]()
    watch = MeasureWatch(measures, published.append, now=lambda: NOON)
    measures.ari_link_up.set(0.0, "sge")
    measures.ami_link_up.set(1.0, "supervision")
    measures.sge_breaker_open.set(0.0)
    watch.look()
    watch.look()
    measures.ari_link_up.set(1.0, "sge")
    measures.sge_breaker_open.set(1.0)
    watch.look()
    told = [(each.type, each.data["link"], each.data["name"]) for each in published]
    assert told == [
        ("link.up", "ami", "supervision"),
        ("link.up", "sge", ""),
        ("link.up", "ari", "sge"),
        ("link.down", "sge", ""),
    ]


def test_quality_is_told_when_it_was_sampled() -> None:
    """A new score is an event; one that is not known is none."""
    measures, published = Measures(), list[Event]()
    watch = MeasureWatch(measures, published.append, now=lambda: NOON)
    watch.look()
    measures.mos.set(4.214)
    watch.look()
    watch.look()
    measures.mos.clear()
    watch.look()
    assert [(each.type, each.at, each.data) for each in published] == [
        ("quality.sampled", NOON, {"mos": 4.21})
    ]
