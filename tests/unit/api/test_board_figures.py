"""The wallboard's figures: the last minute, percentiles, sums over workers."""

import pytest

from fastagi_server.api.board_figures import LastMinute, Minutes, present_figures, quantile
from fastagi_server.telemetry.measures import Measures


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_the_first_look_knows_no_minute() -> None:
    """Rates need two looks with five seconds between them."""
    clock, measures = Clock(), Measures()
    minutes = Minutes(clock)
    assert minutes.last([measures]) == LastMinute()
    clock.now = 4.9
    assert minutes.last([measures]) == LastMinute()
    clock.now = 5.0
    assert minutes.last([measures]) == LastMinute(0.0, 0.0, 0.0, None, None)


def test_rates_are_of_the_last_minute() -> None:
    """What was counted before the last minute is not in it; workers are added up."""
    clock, workers = Clock(), [Measures(), Measures()]
    minutes = Minutes(clock)
    workers[0].registrations.add("REGISTERED", "", amount=100)
    minutes.last(workers)
    for second in range(5, 65, 5):
        clock.now = float(second)
        for each in workers:
            each.registrations.add("REGISTERED", "")
            each.calls.add("adopted")
        minutes.last(workers)
    workers[1].registrations.add("FAILED", "api_timeout")
    workers[1].calls.add("ended")
    workers[0].agi_session_seconds.observe(0.008, "register")
    workers[0].agi_session_seconds.observe(5.0, "health")
    workers[1].sge_request_seconds.observe(0.2, "create_call")
    last = minutes.last(workers)
    assert (last.calls, last.registrations, last.failed) == (24.0, 25.0, 1.0)
    assert last.register_ms == pytest.approx(9.8)
    assert last.sge_ms == pytest.approx(242.5)


def test_an_old_sample_is_none() -> None:
    """When nobody has looked for more than a minute, the rates are measured anew."""
    clock, measures = Clock(), Measures()
    minutes = Minutes(clock)
    minutes.last([measures])
    clock.now = 200.0
    assert minutes.last([measures]) == LastMinute()


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ((0.0, 0.0, 0.0), 0.95, None),
        ((), 0.5, None),
        ((10.0, 0.0, 0.0), 0.5, 0.5),
        ((0.0, 10.0, 0.0), 0.5, 1.5),
        ((5.0, 5.0, 0.0), 1.0, 2.0),
        ((0.0, 0.0, 3.0), 0.95, 2.0),
    ],
)
def test_quantiles(counts: tuple[float, ...], share: float, value: float | None) -> None:
    """A percentile lies within its bucket; beyond the last bound it is that bound."""
    assert quantile((1.0, 2.0), counts, share) == value


def test_present_values_over_workers() -> None:
    """What every process has is added up; what all tell of the same thing is not."""
    first, second = Measures(), Measures()
    first.mos.set(4.2)
    first.channels.set(6)
    for each, sessions in ((first, 2), (second, 3)):
        each.agi_sessions_open.set(sessions)
        each.outbox_depth.set(7, "pending")
    figures = present_figures({"0": first, "1": second})
    assert figures["agi_sessions"] == 5
    assert figures["outbox_pending"] == 7
    assert figures["outbox_dead"] is None
    assert (figures["mos"], figures["channels"], figures["bridges"]) == (4.2, 6, None)
