"""What ARI's failures mean to those who asked for a call."""

from collections.abc import Generator
from contextlib import contextmanager

from fastagi_server.ari.errors import AriError, AriTooSlowError, AriUnreachableError
from fastagi_server.calls.errors import (
    PbxError,
    PbxRefusedError,
    PbxTooSlowError,
    PbxUnreachableError,
)


def pbx_error(error: AriError) -> PbxError:
    """The same failure in the words of the topic; Asterisk's own words stay in the log."""
    if isinstance(error, AriUnreachableError):
        return PbxUnreachableError("The PBX cannot be reached")
    if isinstance(error, AriTooSlowError):
        return PbxTooSlowError("The PBX did not answer in time")
    return PbxRefusedError("The PBX refused")


@contextmanager
def as_pbx_errors() -> Generator[None]:
    """Turns every AriError that leaves the block into a PbxError."""
    try:
        yield
    except AriError as error:
        raise pbx_error(error) from error
