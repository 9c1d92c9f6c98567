"""Keys are safe in headers, short, and told apart; documents keep every character."""

from hypothesis import assume, given
from hypothesis import strategies as st

from fastagi_server.registration.documents import from_document, to_document
from fastagi_server.registration.models import Acceptance, Registration, registration_key

anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(system=anything, unique_id=anything)
def test_any_key_fits_in_a_header(system: str, unique_id: str) -> None:
    """Printable ASCII without spaces, at most 200 characters, whatever the channel is called."""
    key = registration_key(system, unique_id)
    assert 4 <= len(key) <= 200
    assert all("!" <= character <= "~" for character in key)


@given(system=anything, one=anything, other=anything)
def test_channels_of_a_system_have_different_keys(system: str, one: str, other: str) -> None:
    """Two channels never share a key."""
    assume(one != other)
    assert registration_key(system, one) != registration_key(system, other)


@given(key=anything, call_id=anything)
def test_documents_keep_every_character(key: str, call_id: str) -> None:
    """Quotes, line breaks, undecodable bytes: all come back."""
    acceptance = Acceptance(key, call_id)
    assert from_document(to_document(acceptance)) == acceptance


registrations = st.builds(
    Registration,
    system=anything,
    unique_id=anything,
    channel=anything,
    linked_id=anything,
    context=anything,
    extension=anything,
    caller_number=anything,
    caller_name=anything,
    participants=st.lists(anything).map(tuple),
    call_type=anything,
)


@given(registration=registrations)
def test_registrations_come_back(registration: Registration) -> None:
    """Every field of a registration survives."""
    assert from_document(to_document(registration)) == registration
