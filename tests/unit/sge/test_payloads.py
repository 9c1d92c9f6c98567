"""Bodies of requests and answers, byte for byte."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from fastagi_server.registration.models import Ending, RegisteredCall, Registration
from fastagi_server.sge import payloads
from fastagi_server.sge.errors import AnswerError

REGISTRATION = Registration(
    system="pbx",
    unique_id="17.4",
    channel="PJSIP/1002-00000001",
    linked_id="17.3",
    context="sky-genesis-voip",
    extension="1001",
    caller_number="1002",
    caller_name="Alice",
    participants=("SIP/1001",),
    call_type="audio",
)


def test_creation_is_the_documented_request() -> None:
    """Participants, call type and metadata as the document has them, and what we add."""
    assert json.loads(payloads.call_creation(REGISTRATION)) == {
        "participants": ["SIP/1001"],
        "call_type": "audio",
        "metadata": {
            "asterisk_call_id": "17.4",
            "caller_id": "1002",
            "caller_name": "Alice",
            "asterisk_linked_id": "17.3",
            "asterisk_context": "sky-genesis-voip",
            "asterisk_dialled_number": "1001",
            "asterisk_system": "pbx",
            "asterisk_caller_channel": "PJSIP/1002-00000001",
        },
    }


def test_unknown_values_are_left_out() -> None:
    """An anonymous call has no caller rather than an empty one."""
    anonymous = replace(REGISTRATION, caller_number="", caller_name="")
    metadata = json.loads(payloads.call_creation(anonymous))["metadata"]
    assert "caller_id" not in metadata
    assert "caller_name" not in metadata


def test_long_values_are_cut() -> None:
    """A caller's name of a megabyte does not make the request one of a megabyte."""
    long = replace(REGISTRATION, caller_name="é" * 1_000_000)
    assert json.loads(payloads.call_creation(long))["metadata"]["caller_name"] == "é" * 256


def test_undecodable_bytes_become_question_marks() -> None:
    """A name that is no UTF-8 arrives readable, and the call with it."""
    odd = replace(REGISTRATION, caller_name="Zo\udceb", participants=("SIP/\udcff",))
    body = json.loads(payloads.call_creation(odd))
    assert body["metadata"]["caller_name"] == "Zo?"
    assert body["participants"] == ["SIP/?"]
    assert body["metadata"]["asterisk_call_id"] == "17.4"


def test_undecodable_bytes_do_not_change_numbers() -> None:
    """Only text is replaced."""
    body = json.loads(payloads.call_ending(Ending(REGISTRATION, "c1", 16, "\udcff")))
    assert body == {"hangup_cause": 16, "dial_status": "?"}


def test_acceptance_tells_the_time_if_known() -> None:
    """Times are UTC with a Z, whatever zone they were taken in."""
    paris = timezone(timedelta(hours=1))
    assert payloads.call_acceptance(None) == b"{}"
    noon = datetime(2026, 11, 22, 13, 0, 0, 123_456, tzinfo=paris)
    assert payloads.call_acceptance(noon) == b'{"answered_at":"2026-11-22T12:00:00.123Z"}'


def test_ending_tells_what_is_known() -> None:
    """Zero is a value, unknown is not."""
    assert payloads.call_ending(Ending(REGISTRATION)) == b"{}"
    ending = Ending(
        REGISTRATION, "c1", 16, "ANSWER", 0, 60_000, datetime(2026, 11, 22, 12, tzinfo=UTC)
    )
    assert json.loads(payloads.call_ending(ending)) == {
        "hangup_cause": 16,
        "dial_status": "ANSWER",
        "ring_ms": 0,
        "answered_ms": 60_000,
        "ended_at": "2026-11-22T12:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("body", "channel_id"),
    [
        (b'{"id": "c1", "metadata": {"asterisk_channel_id": "17.4"}}', "17.4"),
        (b'{"id": "c1", "metadata": {"asterisk_channel_id": 17}}', None),
        (b'{"id": "c1", "metadata": {"asterisk_channel_id": "a b"}}', None),
        (b'{"id": "c1", "metadata": {}}', None),
        (b'{"id": "c1", "metadata": null}', None),
        (b'{"id": "c1", "metadata": []}', None),
        (b'{"id": "c1"}', None),
    ],
)
def test_call_with_an_id_is_registered(body: bytes, channel_id: str | None) -> None:
    """Whatever the metadata looks like, the call exists."""
    assert payloads.read_registered_call(body) == RegisteredCall("c1", channel_id)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"c1"',
        b"{}",
        b'{"id": null}',
        b'{"id": 7}',
        b'{"id": ""}',
        b'{"id": "a\\nb"}',
        b'{"id": "${SHELL(id)}"}',
        b'{"id": "' + b"x" * 201 + b'"}',
        b'{"id": "c1"',
        b"<html>",
        b"\xff\xfe",
    ],
)
def test_answer_without_a_usable_id_is_none(body: bytes) -> None:
    """Nothing that could not be a call's id reaches the dialplan."""
    with pytest.raises(AnswerError):
        payloads.read_registered_call(body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"status": "ringing"}', "ringing"),
        (b'{"status": "on_hold"}', "on_hold"),
        (b'{"status": "OnHold"}', "on_hold"),
        (b'{"status": "Connected"}', "connected"),
    ],
)
def test_status_is_lower_snake_case(body: bytes, status: str) -> None:
    """Both spellings of the system's servers are read."""
    assert payloads.read_status(body) == status


@pytest.mark.parametrize("body", [b"{}", b'{"status": 1}', b'{"status": "a b"}', b"x", b"[1]"])
def test_answer_without_a_status_is_none(body: bytes) -> None:
    """What is no status does not reach the dialplan."""
    with pytest.raises(AnswerError):
        payloads.read_status(body)


def test_acknowledgement_may_be_a_call_or_a_line() -> None:
    """Older servers answer an action with a line of text; a page is no answer."""
    payloads.read_acknowledgement(b'{"id": "c1"}')
    payloads.read_acknowledgement(b"Call accepted")
    payloads.read_acknowledgement(b"")
    with pytest.raises(AnswerError):
        payloads.read_acknowledgement(b"\n <!doctype html>")


@pytest.mark.parametrize("text", ["", ".", "..", "a b", "a\n", "é", "x" * 201, "a?b", "a%2fb"])
def test_what_cannot_be_the_id_of_a_call(text: str) -> None:
    """Ids go into paths: nothing that could lead elsewhere is one."""
    assert not payloads.is_call_id(text)


@pytest.mark.parametrize("text", ["c1", "5f0c1a9e-9f63-4f0e-8f3a-2a9e8f1d7c11", "a/b", "call_x.1"])
def test_what_can_be_the_id_of_a_call(text: str) -> None:
    """Ids of the documented and of other servers are accepted."""
    assert payloads.is_call_id(text)
