"""Whose telephone a participant is."""

import pytest

from fastagi_server.identities.extensions import ExtensionTable

NOBODY: set[str] = set()
TABLE = ExtensionTable(
    {"1001": "alice", "1002": "bob, carol", "PJSIP/desk-7": "dora", "SIP/old": "erna"}
)


@pytest.mark.parametrize(
    ("participant", "identities"),
    [
        ("alice", {"alice"}),
        ("1001", {"1001", "alice"}),
        ("SIP/1001", {"alice"}),
        ("PJSIP/1001", {"alice"}),
        ("IAX2/1001", {"alice"}),
        ("SIP/1002", {"bob", "carol"}),
        ("PJSIP/desk-7", {"dora"}),
        ("sip/desk-7", {"dora"}),
        ("IAX2/desk-7", NOBODY),
        ("PJSIP/old", {"erna"}),
        ("PJSIP/1003", NOBODY),
        ("PJSIP/1001@trunk", NOBODY),
        ("SIP/1001:password@host", NOBODY),
        ("PJSIP/alice", NOBODY),
    ],
)
def test_identities(participant: str, identities: set[str]) -> None:
    """An extension and its dial strings are its users; what a trunk leads to is nobody here."""
    assert TABLE.identities_of(participant) == identities


def test_empty_table() -> None:
    """Without a table a user id is itself and a dial string nobody."""
    table = ExtensionTable({})
    assert table.identities_of("alice") == {"alice"}
    assert table.identities_of("SIP/1001") == set()


def test_empty_names() -> None:
    """A row without a user gives the extension to nobody."""
    assert ExtensionTable({"1001": " , "}).identities_of("SIP/1001") == set()


def test_everybody_in_the_table() -> None:
    """The users of all rows are known, each once."""
    table = ExtensionTable({"1001": "alice, bob", "PJSIP/desk-1": "bob", "1002": ""})
    assert table.users == {"alice", "bob"}
