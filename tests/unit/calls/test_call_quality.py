"""How a call is rated from what Asterisk says of its media."""

import pytest

from fastagi_server.calls.quality import MAX_REPORT_LENGTH, MediaReport, of_call

# As Asterisk 22 sends them, a little shortened: of a phone that lost every fifth packet and sent no
# RTCP, and of one that was heard well and did not hear so well.
LOSSY = (
    "lp=99;rxjitter=0.0;rxcount=396;txjitter=0.00225;txcount=616;rlp=0;rtt=0.0;rxmes=0.0;txmes=20.0",
    "minrxjitter=000.000125;maxrxjitter=000.008625;avgrxjitter=000.002500;avgtxjitter=000.000000;",
    "minrtt=000.000000;     maxrtt=000.000000;     avgrtt=000.000000;     stdevrtt=000.000000;",
    "    minrxmes=020.000000;   maxrxmes=020.000000;   avgrxmes=020.000000;   avgtxmes=000.000000;",
)
CLEAR = (
    "lp=0;rxcount=100;txcount=90;rlp=10;rtt=0.040000",
    "avgrxjitter=000.000500;avgtxjitter=000.012000;",
    "avgrtt=000.040000;",
    "avgrxmes=088.087887;avgtxmes=070.000000;",
)


def leg(*texts: str) -> MediaReport:
    """What was told of one leg."""
    report = MediaReport()
    for text in texts:
        report.take(text)
    return report


def test_the_figures_of_a_leg() -> None:
    """What came from the phone: loss, mean jitter, score and the opinion score in it."""
    assert of_call([leg(*LOSSY)]) == {
        "mes": 20.0,
        "mos": 1.0,
        "loss_percent": 20.0,
        "jitter_ms": 2.5,
        "round_trip_ms": None,
    }


def test_what_the_phone_reported_counts_too() -> None:
    """A phone with RTCP says what it received: the worse of both directions is the call's."""
    assert of_call([leg(*CLEAR)]) == {
        "mes": 70.0,
        "mos": 3.5,
        "loss_percent": 10.0,
        "jitter_ms": 12.0,
        "round_trip_ms": 40.0,
    }


def test_the_worst_of_all_legs() -> None:
    """Each figure on its own."""
    assert of_call([leg(*CLEAR), leg(), leg(*LOSSY)]) == {
        "mes": 20.0,
        "mos": 1.0,
        "loss_percent": 20.0,
        "jitter_ms": 12.0,
        "round_trip_ms": 40.0,
    }


def test_a_short_call_has_no_score() -> None:
    """Zero is what Asterisk says before it has reckoned one, and counted what was lost."""
    figures = of_call(
        [leg("lp=0;rxcount=50;txcount=50;rlp=0", "avgrxjitter=000.001000;avgrxmes=000.000000;")]
    )
    assert figures == {
        "mes": None,
        "mos": None,
        "loss_percent": None,
        "jitter_ms": 1.0,
        "round_trip_ms": None,
    }


@pytest.mark.parametrize(
    "texts",
    [(), ("lp=0;rxcount=0;txcount=40;rlp=0",), ("rxcount",), ("rxcount=many;=;;",), ("lp=5",)],
    ids=["nothing", "never-spoke", "no-number", "garbage", "no-count"],
)
def test_no_media_no_figures(texts: tuple[str, ...]) -> None:
    """Nothing is made up where nothing was measured."""
    assert of_call([leg(*texts)]) is None


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-5", "1e400"])
def test_numbers_that_cannot_be(number: str) -> None:
    """What no counter can show is not taken for one."""
    assert of_call([leg(f"rxcount={number};lp=1")]) is None


def test_a_report_without_an_end() -> None:
    """Nothing is read of what stands behind the longest report there is."""
    assert of_call([leg(" " * MAX_REPORT_LENGTH + "rxcount=50")]) is None
