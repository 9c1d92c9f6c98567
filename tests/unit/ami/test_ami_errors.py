"""The errors of the wire."""

from fastagi_server.ami import errors
from fastagi_server.ami.errors import AmiError, AmiRefusedError


def test_every_error_has_a_code_of_its_own() -> None:
    """And the one root."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    assert all(issubclass(kind, AmiError) for kind in kinds)
    assert sorted(kind.code for kind in kinds if issubclass(kind, AmiError)) == [
        "ami_bad_message",
        "ami_error",
        "ami_login",
        "ami_refused",
        "ami_too_slow",
        "ami_unreachable",
    ]


def test_a_refusal_repeats_no_endless_words() -> None:
    """Of a peer that may be anybody."""
    refusal = AmiRefusedError("Ping", "x" * 1000)
    assert refusal.message == "x" * 200
    assert str(refusal) == "Ping: " + "x" * 200
