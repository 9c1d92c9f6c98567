"""What the description of the API says of values, and what is done with them."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fastagi_server.api.bodies import PARTICIPANT_PATTERN, AcceptRequest, EndRequest
from fastagi_server.calls.errors import InvalidCallError
from fastagi_server.calls.participants import (
    MAX_PARTICIPANT_LENGTH,
    TECHNOLOGIES,
    check_participants,
)

PATTERN = re.compile(PARTICIPANT_PATTERN)

NEARLY = st.builds(
    "{}{}{}".format,
    st.sampled_from(sorted({*TECHNOLOGIES, "Local", "sip", "Pjsip", "", "bob"})),
    st.sampled_from(["/", "", "//", "&"]),
    st.text("1001@trunk.example:;&,()$ {}\n\0", max_size=12),
)


def is_taken(participant: str) -> bool:
    """Whether a call may be made with this participant."""
    try:
        check_participants([participant])
    except InvalidCallError:
        return False
    return True


@given(st.from_regex(PATTERN, fullmatch=True))
def test_described_participants_are_taken(participant: str) -> None:
    """Whatever the description allows as a participant is taken."""
    # Unlike in the description's language, `$` lets a newline follow in Python's.
    described = len(participant) <= MAX_PARTICIPANT_LENGTH and not participant.endswith("\n")
    assert is_taken(participant) is described


@given(NEARLY | st.text(max_size=20))
def test_taken_participants_are_described(participant: str) -> None:
    """Whatever is taken as a participant is allowed by the description."""
    if is_taken(participant):
        assert PATTERN.search(participant)


@given(st.integers(0, 127))
def test_integers_in_either_spelling(cause: int) -> None:
    """JSON does not tell 16 from 16.0."""
    assert EndRequest.model_validate({"hangup_cause": cause}).hangup_cause == cause
    assert EndRequest.model_validate({"hangup_cause": float(cause)}).hangup_cause == cause


@pytest.mark.parametrize("value", [True, "16", 16.5, -1, 128, float("inf"), [16], {}])
def test_what_is_no_integer(value: object) -> None:
    """What JSON does not call an integer, or what is out of bounds, is refused."""
    with pytest.raises(ValidationError):
        EndRequest.model_validate({"hangup_cause": value})


@pytest.mark.parametrize("value", [0, 1767268800, 1767268800.5, True, [], "1767268800", "today"])
def test_what_is_no_moment(value: object) -> None:
    """A moment is written as RFC 3339 has it, never as a number."""
    with pytest.raises(ValidationError):
        AcceptRequest.model_validate({"answered_at": value})


@given(st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_moments_in_any_zone(moment: datetime) -> None:
    """A moment may be written in any zone, and is kept in UTC."""
    written = moment.isoformat()
    read = AcceptRequest.model_validate({"answered_at": written}).answered_at
    assert read is not None
    assert (read, read.tzinfo) == (datetime.fromisoformat(written), UTC)
