"""One process: what the manager is shown of it."""

from fastagi_server.serving import status_of
from fastagi_server.telemetry.measures import Measures


def test_status_of_an_idle_process() -> None:
    """Nothing happens, and no link was asked for."""
    assert status_of(Measures()) == "0 sessions open, 0 in the outbox"


def test_status_of_a_busy_process() -> None:
    """Sessions, what waits, the state of the SGE API and of each link."""
    measures = Measures()
    measures.agi_sessions_open.set(7)
    measures.outbox_depth.set(3, "pending")
    measures.outbox_depth.set(9, "dead")
    measures.sge_breaker_open.set(1.0)
    measures.ari_link_up.set(1.0, "ari")
    measures.ami_link_up.set(0.0, "ami")
    assert status_of(measures) == (
        "7 sessions open, 3 in the outbox, SGE API unavailable, ari up, ami down"
    )
