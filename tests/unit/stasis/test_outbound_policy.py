"""Which numbers may be called, and from where."""

import pytest

from fastagi_server.stasis.outbound import OutboundPolicy, pattern_of

POLICY = OutboundPolicy(
    trunk="PJSIP/carrier",
    contexts=frozenset({"users"}),
    allow=(pattern_of("0X."), pattern_of("_112")),
    deny=(pattern_of("0900X."),),
)


@pytest.mark.parametrize(
    ("pattern", "number", "matches"),
    [
        ("0X.", "012", True),
        ("0X.", "01", False),
        ("0X!", "01", True),
        ("_NXX", "211", True),
        ("NXX", "111", False),
        ("ZX", "10", True),
        ("ZX", "01", False),
        ("+49X.", "+4930", True),
        ("+49X.", "4930", False),
    ],
)
def test_patterns_are_those_of_the_dialplan(pattern: str, number: str, *, matches: bool) -> None:
    """The letters X, Z, N, `.` and `!` mean what they mean there."""
    assert bool(pattern_of(pattern).fullmatch(number)) is matches


@pytest.mark.parametrize("text", ["", "_", "0[1-9]", "abc", "0 1", "0,1"])
def test_patterns_that_are_none(text: str) -> None:
    """What cannot be read is refused, and not taken for something else."""
    with pytest.raises(ValueError, match="pattern"):
        pattern_of(text)


@pytest.mark.parametrize(
    ("number", "context", "channel", "refusal"),
    [
        ("0301234", "users", "PJSIP/1001-00000001", ""),
        ("112", "users", "PJSIP/1001-00000001", ""),
        ("1001", "users", "PJSIP/1001-00000001", "number_not_allowed"),
        ("0900123", "users", "PJSIP/1001-00000001", "number_denied"),
        ("0301234", "from-trunk", "PJSIP/1001-00000001", "context_not_allowed"),
        ("0301234", "users", "PJSIP/carrier-00000001", "context_not_allowed"),
        ("0301234&PJSIP/1", "users", "PJSIP/1001-00000001", "no_number"),
        ("0301234@elsewhere", "users", "PJSIP/1001-00000001", "no_number"),
        ("", "users", "PJSIP/1001-00000001", "no_number"),
    ],
)
def test_who_may_call_what(number: str, context: str, channel: str, refusal: str) -> None:
    """Only allowed numbers, only from contexts of our users, never from the trunk itself."""
    assert POLICY.refusal(number, context, channel) == refusal


def test_without_a_trunk_nobody_calls_out() -> None:
    """Nothing is allowed that could not be done."""
    nothing = OutboundPolicy(trunk="", contexts=frozenset({"users"}), allow=(pattern_of("0X."),))
    assert nothing.refusal("0301234", "users", "PJSIP/1001-00000001") == "no_trunk"


def test_what_is_rung() -> None:
    """The number, through the trunk."""
    assert POLICY.endpoint("0301234") == "PJSIP/0301234@carrier"
