"""The tree of errors, which callers rely on when they catch."""

import pytest

from fastagi_server.agi import errors


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (errors.AgiLocalError, errors.AgiError),
        (errors.AgiGuardError, errors.AgiLocalError),
        (errors.AgiStateError, errors.AgiLocalError),
        (errors.AgiDeadChannelError, errors.AgiLocalError),
        (errors.AgiRemoteError, errors.AgiError),
        (errors.AgiRequestError, errors.AgiRemoteError),
        (errors.AgiReplyError, errors.AgiRemoteError),
        (errors.AgiCommandError, errors.AgiError),
        (errors.AgiTimeoutError, errors.AgiError),
        (errors.AgiHangupError, errors.AgiError),
    ],
)
def test_the_tree_is_the_one_of_the_docstring(
    error: type[Exception], parent: type[Exception]
) -> None:
    """Who is at fault decides the branch."""
    assert error.__bases__ == (parent,)


def test_a_remote_error_carries_the_word_of_its_measure() -> None:
    """`kind` labels the measure of protocol errors."""
    error = errors.AgiReplyError("reply_size", "too long")
    assert (error.kind, str(error)) == ("reply_size", "too long")


def test_a_command_error_says_what_asterisk_said() -> None:
    """Code and result are for the route, the text is for the log."""
    error = errors.AgiCommandError("GOSUB", 200, "-1", "Gosub label not found")
    assert (error.command, error.code, error.result) == ("GOSUB", 200, "-1")
    assert str(error) == "GOSUB answered 200 result=-1 Gosub label not found"
