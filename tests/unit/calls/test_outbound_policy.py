"""Which numbers may be called, and from where."""

import pytest

from fastagi_server.calls.errors import InvalidCallError
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy, pattern_of
from fastagi_server.calls.participants import check_participants

POLICY = OutboundPolicy(
    trunk="PJSIP/carrier",
    contexts=frozenset({"users"}),
    allow=(pattern_of("0X."), pattern_of("_112")),
    deny=(pattern_of("0900X."),),
    for_users=True,
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


@pytest.mark.parametrize("participant", ["PJSIP/0301234@carrier", "PJSIP/112@carrier"])
def test_a_user_calls_out(participant: str) -> None:
    """An allowed number, written as it would be rung, may be rung for a user."""
    assert POLICY.user_refusal(participant) == ""


@pytest.mark.parametrize(
    "participant", ["PJSIP/1001", "SIP/1001", "pjsip/desk-1", "IAX2/1001", "bob", "1001", "carrier"]
)
def test_own_telephones_need_no_policy(participant: str) -> None:
    """Telephones of the PBX and users may always be rung."""
    assert POLICY.user_refusal(participant) == ""
    assert NO_CALLS_OUT.user_refusal(participant) == ""


@pytest.mark.parametrize(
    ("participant", "refusal"),
    [
        ("PJSIP/0900123@carrier", "number_denied"),
        ("PJSIP/1001@carrier", "number_not_allowed"),
        ("PJSIP/@carrier", "no_number"),
        ("PJSIP/0301234~1@carrier", "no_number"),
        ("PJSIP/0301234;user=phone@carrier", "no_number"),
        ("PJSIP/0301234%30@carrier", "no_number"),
        ("PJSIP/%30301234@carrier", "no_number"),
        ("PJSIP/0301234%40elsewhere@carrier", "no_number"),
        # The same trunk by other names: none of them is compared with the patterns.
        ("pjsip/0900123@carrier", "not_by_trunk"),
        ("Pjsip/0301234@carrier", "not_by_trunk"),
        ("SIP/0301234@carrier", "not_by_trunk"),
        ("PJSIP/0301234@Carrier", "not_by_trunk"),
        ("PJSIP/0301234@elsewhere", "not_by_trunk"),
        ("PJSIP/0301234@carrier@elsewhere", "not_by_trunk"),
        ("PJSIP/0301234@carrier/sip:0900123@192.0.2.1", "not_by_trunk"),
        ("PJSIP/carrier/sip:0900123@192.0.2.1", "not_by_trunk"),
        ("PJSIP/carrier/sip:0301234@carrier", "no_number"),
        ("PJSIP/1001/sip:0900123@192.0.2.1", "not_by_trunk"),
        ("PJSIP/0900123%40carrier", "not_by_trunk"),
        ("PJSIP/sip:0900123@192.0.2.1", "not_by_trunk"),
        ("IAX2/carrier/0900123", "not_by_trunk"),
        ("IAX2/user:secret@carrier/0900123", "not_by_trunk"),
        ("DAHDI/g1/0900123", "not_by_trunk"),
        ("DAHDI/1", "not_by_trunk"),
        # The trunk itself, which has the form of a telephone.
        ("PJSIP/carrier", "not_by_trunk"),
        ("SIP/CARRIER", "not_by_trunk"),
        ("pjsip/Carrier", "not_by_trunk"),
    ],
)
def test_ways_to_smuggle_a_number_out(participant: str, refusal: str) -> None:
    """A user gets through the trunk in the one exact form only, and with allowed numbers."""
    check_participants([participant])
    assert POLICY.user_refusal(participant) == refusal


@pytest.mark.parametrize(
    "participant",
    [
        "PJSIP/0301234@carrier&PJSIP/0900123@carrier",
        "Local/0900123@sky-genesis-outbound",
        "local/0900123@default/n",
        "PJSIP/0301234@carrier,30,g",
        "PJSIP/${EXTEN}@carrier",
        "PJSIP/0301234@carrier\n",
        "PJSIP/\uff10\uff13\uff10@carrier",
        "/0301234@carrier",
    ],
)
def test_what_is_no_dial_string_at_all(participant: str) -> None:
    """What would be dialplan, or several telephones, does not come as far as the policy."""
    with pytest.raises(InvalidCallError):
        check_participants([participant])


@pytest.mark.parametrize(
    "policy",
    [
        NO_CALLS_OUT,
        OutboundPolicy(trunk="PJSIP/carrier", allow=(pattern_of("0X."),)),
        OutboundPolicy(allow=(pattern_of("0X."),), for_users=True),
    ],
)
@pytest.mark.parametrize("participant", ["PJSIP/0301234@carrier", "PJSIP/0301234@"])
def test_users_do_not_call_out_by_themselves(policy: OutboundPolicy, participant: str) -> None:
    """Without the setting, or without a trunk, no user calls out."""
    assert policy.user_refusal(participant) == "users_not_allowed"
