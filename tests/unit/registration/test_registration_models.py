"""Keys and provisional ids: stable, safe in a header, told apart."""

from dataclasses import replace

import pytest

from fastagi_server.registration.models import (
    Acceptance,
    Ending,
    Registration,
    is_provisional,
    provisional_call_id,
    registration_key,
)

REGISTRATION = Registration(
    system="pbx-1",
    unique_id="1700000000.12",
    channel="PJSIP/1002-00000001",
    linked_id="1700000000.12",
    context="sky-genesis-voip",
    extension="1001",
    caller_number="1002",
    caller_name="Alice",
    participants=("SIP/1001",),
    call_type="audio",
)


def test_key_names_system_and_channel() -> None:
    """The usual key is what an operator would write."""
    assert REGISTRATION.key == "agi-pbx-1-1700000000.12"


def test_ending_has_the_key_of_its_registration() -> None:
    """Whoever ends a call speaks about the same registration."""
    assert Ending(REGISTRATION).key == "agi-pbx-1-1700000000.12"


@pytest.mark.parametrize(
    ("system", "unique_id", "key"),
    [
        ("a b", "1.2", "agi-a%20b-1.2"),
        ("a", "1\r\nX: y", "agi-a-1%0D%0AX:%20y"),
        ("büro", "1.2", "agi-b%C3%BCro-1.2"),
        ("a", "1%20", "agi-a-1%2520"),
        ("\udcff", "1.2", "agi-%ED%B3%BF-1.2"),
        ("", "", "agi--"),
    ],
)
def test_key_is_safe_in_a_header(system: str, unique_id: str, key: str) -> None:
    """Whatever a channel is called, nothing in its key ends or splits a header."""
    assert registration_key(system, unique_id) == key


def test_long_keys_are_cut_and_still_differ() -> None:
    """Two long names that differ only at their ends give two keys of at most 200 characters."""
    one = registration_key("s" * 300, "1.2")
    other = registration_key("s" * 300, "1.3")
    assert len(one) == len(other) == 200
    assert one != other
    assert one.startswith("agi-sss")


def test_provisional_id_is_the_same_for_the_same_key() -> None:
    """A repeated registration is given the same provisional id."""
    call_id = provisional_call_id("agi-pbx-1-1700000000.12")
    assert call_id == "queued-4ffce90f-80f8-5fd1-8c32-e3222471e096"
    assert is_provisional(call_id)


def test_other_keys_give_other_provisional_ids() -> None:
    """Two calls never share a provisional id."""
    other = replace(REGISTRATION, unique_id="1700000000.13")
    assert provisional_call_id(other.key) != provisional_call_id(REGISTRATION.key)


def test_ids_of_the_api_are_not_provisional() -> None:
    """A real id is recognised as one."""
    assert not is_provisional("5f0c1a9e-9f63-4f0e-8f3a-2a9e8f1d7c11")


def test_acceptance_may_lack_the_time() -> None:
    """The time of the answer is optional."""
    assert Acceptance("agi-a-1", "c1").answered_at is None
