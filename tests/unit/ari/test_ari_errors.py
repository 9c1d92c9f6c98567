"""Which error stands for which refusal of Asterisk's."""

import pytest

from fastagi_server.ari.errors import (
    AriAnswerError,
    AriConflictError,
    AriError,
    AriNotFoundError,
    AriNotInStasisError,
    AriRefusedError,
    AriServerError,
    AriTooSlowError,
    AriUnreachableError,
    refusal,
)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "Channel not found", AriNotFoundError),
        (400, "Channel not found", AriNotFoundError),
        (404, "Bridge not found", AriNotFoundError),
        (404, "", AriNotFoundError),
        (409, "Channel with given unique ID already exists", AriConflictError),
        (409, "Channel not in Stasis application", AriNotInStasisError),
        (422, "Channel not in Stasis application", AriNotInStasisError),
        (409, "Channel is not in a Stasis application", AriNotInStasisError),
        (412, "Channel in invalid state", AriConflictError),
        (422, "Channel not in this bridge", AriRefusedError),
        (400, "Missing parameter", AriRefusedError),
        (401, "Authentication required", AriRefusedError),
        (302, "", AriRefusedError),
        (500, "Unable to create bridge", AriServerError),
        (500, "", AriServerError),
        (503, "", AriServerError),
    ],
)
def test_a_refusal_is_told_by_status_and_words(
    status: int, message: str, kind: type[AriRefusedError]
) -> None:
    """Asterisk uses one status for two things, and two for one."""
    error = refusal(status, message)
    assert type(error) is kind
    assert (error.status, error.message) == (status, message)


def test_a_refusal_repeats_no_more_than_200_characters() -> None:
    """What a broken proxy says does not fill the log."""
    error = refusal(500, "x" * 10_000)
    assert error.message == "x" * 200
    assert str(error) == "500 " + "x" * 200


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (AriUnreachableError("away"), False),
        (AriTooSlowError("slow"), True),
        (AriAnswerError("garbage"), True),
        (AriServerError(500, "failed"), True),
        (AriNotFoundError(404, "gone"), False),
        (AriConflictError(409, "taken"), False),
    ],
)
def test_only_what_was_sent_and_not_answered_has_an_unknown_outcome(
    error: AriError, *, unknown: bool
) -> None:
    """A definite no, and a request never sent, had no effect."""
    assert error.outcome_unknown is unknown


def test_every_error_has_a_code_of_its_own() -> None:
    """Measures and error bodies tell the errors apart."""
    kinds = [AriError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = [kind.code for kind in kinds]
    assert len(codes) == 11
    assert len(set(codes)) == len(codes)


def test_an_unreachable_asterisk_is_worth_another_try_soon() -> None:
    """The time is what the API passes on as Retry-After."""
    assert AriUnreachableError("away").retry_after_seconds == 1.0
    assert AriUnreachableError("away", retry_after_seconds=7.5).retry_after_seconds == 7.5
