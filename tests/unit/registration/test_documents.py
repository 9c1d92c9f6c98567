"""Statements survive the outbox exactly, and what is damaged is recognised."""

import json
from datetime import UTC, datetime

import pytest

from fastagi_server.registration.documents import (
    DocumentError,
    from_document,
    kind_of,
    to_document,
)
from fastagi_server.registration.models import Acceptance, Ending, Registration, Statement

REGISTRATION = Registration(
    system="pbx",
    unique_id="17.4",
    channel="PJSIP/1002-1",
    linked_id="17.4",
    context="ctx",
    extension="1001",
    caller_number="1002",
    caller_name='Zoë "\udcff" \n',
    participants=("SIP/1001", "SIP/1003"),
    call_type="video",
)
NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "statement",
    [
        REGISTRATION,
        Acceptance("agi-pbx-17.4", "c1", NOON),
        Acceptance("agi-pbx-17.4", "c1"),
        Ending(REGISTRATION),
        Ending(REGISTRATION, "c1", 16, "ANSWER", 1200, 60_000, NOON),
    ],
)
def test_statement_comes_back_as_it_was(statement: Statement) -> None:
    """Names with undecodable bytes, times and unknown values are the same after storage."""
    assert from_document(to_document(statement)) == statement


def test_document_is_ascii() -> None:
    """What is stored needs no encoding to be agreed on."""
    assert to_document(REGISTRATION).isascii()


def test_kinds_have_names() -> None:
    """The name of the kind is what operators read in lists and measures."""
    assert kind_of(REGISTRATION) == "register"
    assert kind_of(Acceptance("k", "c")) == "accept"
    assert kind_of(Ending(REGISTRATION)) == "end"


def test_fields_of_a_later_version_are_ignored() -> None:
    """An entry written by a newer release can still be delivered by this one."""
    document = json.loads(to_document(Acceptance("k", "c1"))) | {"later": True}
    assert from_document(json.dumps(document)) == Acceptance("k", "c1")


@pytest.mark.parametrize(
    "document",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"kind": "other"}',
        '{"kind": "accept"}',
        '{"kind": "accept", "key": 1, "call_id": "c1"}',
        '{"kind": "accept", "key": "k", "call_id": "c1", "answered_at": "noon"}',
        '{"kind": "end", "registration": 7}',
        '{"kind": "end", "registration": {"system": "pbx"}}',
    ],
)
def test_damaged_documents_are_refused(document: str) -> None:
    """Anything that is not a whole statement raises the one error the outbox expects."""
    with pytest.raises(DocumentError):
        from_document(document)
