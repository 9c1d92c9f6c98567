"""Who may do what, and who may be called what."""

import pytest

from fastagi_server.identities.identity import Identity, Scope, is_name, is_user_name


@pytest.mark.parametrize(
    ("scope", "rights"),
    [
        (Scope.CALLS, (True, False, False)),
        (Scope.SERVICE, (True, True, False)),
        (Scope.OPERATOR, (True, True, True)),
    ],
)
def test_rights(scope: Scope, rights: tuple[bool, bool, bool]) -> None:
    """A user may call, the telephone system may act on every call, operators see the PBX too."""
    identity = Identity("x", frozenset({scope}))
    assert (identity.may_call, identity.is_trusted, identity.is_operator) == rights


def test_no_scope() -> None:
    """An identity without a scope may do nothing."""
    nobody = Identity("x", frozenset())
    assert (nobody.may_call, nobody.is_trusted, nobody.is_operator) == (False, False, False)


def test_same_identity_by_other_proof() -> None:
    """Whichever way somebody proved who he is, he is the same."""
    scopes = frozenset({Scope.CALLS})
    assert Identity("alice", scopes, "token") == Identity("alice", scopes, "api_key")


@pytest.mark.parametrize(
    "name", ["alice", "a", "1001", "auth0|5f", "bob@example.org", "x" * 256, "a-b_c.d:e+f"]
)
def test_names(name: str) -> None:
    """The ids of real identity providers are names."""
    assert is_name(name)
    assert is_user_name(name)


@pytest.mark.parametrize("name", ["", " ", "a b", "SIP/1", "-a", "é", "a\n", "x" * 257, "a,b"])
def test_no_names(name: str) -> None:
    """What could be mistaken for something else is no name."""
    assert not is_name(name)


@pytest.mark.parametrize("name", ["service", "SERVICE", "asterisk", "sge"])
def test_reserved_names(name: str) -> None:
    """Nobody without trust goes by a name of the system's own."""
    assert is_name(name)
    assert not is_user_name(name)
