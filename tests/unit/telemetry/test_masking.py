"""Masking: nothing secret and, where asked for, nothing personal is left; ids and figures are."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from fastagi_server.telemetry.masking import MAX_TEXT, Masker
from fastagi_server.telemetry.subject import Subject, current

KEY = b"0123456789abcdef"
SECRET = 's3cret/é"x'


@pytest.fixture
def masker() -> Masker:
    """One that masks everything."""
    return Masker(key=KEY, secrets=[SECRET])


@pytest.fixture
def about_anna() -> Generator[None]:
    """The running task is about a call of Anna's."""
    token = current.set(Subject("17.4", personal=lambda: ("Anna Li", "1002", "Li", "")))
    yield
    current.reset(token)


def masked(masker: Masker, **fields: Any) -> dict[str, Any]:
    """A line after masking, without its event."""
    event = {"event": "a_word", **fields}
    masker.event(event)
    assert event.pop("event") == "a_word"
    return event


def test_a_masked_number_can_be_followed(masker: Masker) -> None:
    """The same number is the same mask, with its last two digits; another number another one."""
    assert masker.personal("+33123456789") == "***89#57a4f6"
    assert masker.personal("+33123456789") == masker.personal("+33123456789")
    assert masker.personal("+33999456789") != masker.personal("+33123456789")
    other = Masker(key=b"another key 1234")
    assert other.personal("+33123456789") != masker.personal("+33123456789")


def test_a_masked_name_keeps_nothing(masker: Masker) -> None:
    """Of what does not end in digits only the hash is left."""
    name = masker.personal("Anna Li")
    assert name.startswith("***#")
    assert "Li" not in name


def test_masking_twice_changes_nothing(masker: Masker) -> None:
    """A mask is no number, so lines may pass through more than one masker."""
    once = masker.text("PJSIP/1001-0000002a called +33123456789, caller_name='Bob'")
    assert masker.text(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "caller_name='Bob Ray'",
        '{"caller_name":"Bob Ray"}',
        "CallerIDName: 'Bob Ray'",
        '"metadata":{"caller_id":"31337","caller_name":"Bob \\" Ray"}',
        '"participants":["SIP/31337","PJSIP/31337@trunk"]',
        "participants=('SIP/31337',)",
        "caller_number=31337, x=1",
        "no channel PJSIP/31337-0000002a",
        "Local/31337@ctx-0000002a;1 is gone",
        "could not dial SIP/31337",
        "<sip:31337@pbx.example>;tag=1",
        "tel:31337",
        "number +33 1 37 31337 is wrong",
        "call (555) 731-31337 back",
        "0031337000",
    ],
)
def test_personal_data_in_text(masker: Masker, text: str) -> None:
    """Numbers, names and dial strings are found by their form, in JSON and in Python's."""
    cleaned = masker.text(text)
    assert "Bob" not in cleaned
    assert "Ray" not in cleaned
    assert "31337" not in cleaned
    assert "***" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "id 1763846851.17 of 3f2a0000-1234-4123-9123-1234567890ab",
        "at 2026-11-22 10:00:00 and 2026-11-22T10:00:00.123456Z",
        "127.0.0.1:40000 and [::1]:40000 refused: [Errno 111]",
        "took 1500 ms of 0.25 s; status 503",
        "0x7f1234567890 at line 12345",
        "agi-pbx-1763846851.17",
        "a sentence with words only",
        "    caller_name=registration.caller_name,",
    ],
)
def test_what_is_no_personal_data(masker: Masker, text: str) -> None:
    """Ids, instants, addresses and figures stay readable."""
    assert masker.text(text) == text


@pytest.mark.usefixtures("about_anna")
def test_what_is_known_of_the_call(masker: Masker) -> None:
    """The numbers and names of the call at hand are masked even where nothing marks them."""
    cleaned = masker.text("extension 1002 said: Anna Li, who is no 10023 and no Anna")
    assert cleaned == (
        f"extension {masker.personal('1002')} said: {masker.personal('Anna Li')}, "
        "who is no 10023 and no Anna"
    )


@pytest.mark.usefixtures("about_anna")
def test_personal_data_may_be_shown() -> None:
    """With `show` it stays, and secrets go all the same."""
    masker = Masker(key=KEY, secrets=[SECRET], personal=False)
    assert masker.text(f"1002 PJSIP/1001 {SECRET}") == "1002 PJSIP/1001 ********"
    assert masked(masker, caller_number="1002") == {"caller_number": "1002"}
    assert "1001" not in masker.strict().text("PJSIP/1001")


def test_secrets_in_every_writing(masker: Masker) -> None:
    """As it is, in JSON, in a representation and in a URL."""
    forms = [SECRET, 's3cret/é\\"x', repr(SECRET), "s3cret%2F%C3%A9%22x"]
    for form in forms:
        assert "s3cret" not in masker.text(f"before {form} behind")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc.def-ghi", "Authorization: ********"),
        ("basic dXNlcjpwYXNz", "********"),
        ("of eyJhbGciOi.eyJzdWIiOiJ4.c2ln here", "of ******** here"),
        ("postgresql://user:pass@db/calls", "postgresql://********@db/calls"),
        ("/ws?token=abc&x=1", "/ws?token=********&x=1"),
        ("password=abc, secret=def", "password=******** secret=********"),
        ("sk_abcdefghijklmnopqrstuvwxyz0", "********"),
        ("the token is expired", "the token is expired"),
    ],
)
def test_what_has_the_form_of_a_secret(masker: Masker, text: str, left: str) -> None:
    """Credentials that clients send are not in the settings, and found by their form."""
    assert masker.text(text) == left


def test_short_secrets_are_not_looked_for() -> None:
    """A secret of three letters would be found in every word."""
    assert Masker(key=KEY, secrets=["abc", ""]).text("abcdef") == "abcdef"


def test_a_long_text_is_cut(masker: Masker) -> None:
    """What is searched has a limit."""
    assert masker.text("x" * (MAX_TEXT + 10)) == "x" * MAX_TEXT + " [cut]"


def test_fields(masker: Masker) -> None:
    """Ids are left, personal fields masked as a whole, all others searched."""
    line = masked(
        masker,
        unique_id="1763846851",
        caller_number="1002",
        participants=("SIP/1001", "Anna"),
        path=Path("/calls/0123456789"),
        nested={"caller_name": "Anna", "unique_id": "1763846851", "ms": 1.5, "none": None},
        reason="to 0123456789",
        attempt=3,
    )
    assert line["unique_id"] == "1763846851"
    assert line["caller_number"] == masker.personal("1002")
    assert line["participants"] == [masker.personal("SIP/1001"), masker.personal("Anna")]
    assert line["path"] == "PosixPath('/calls/0123456789')"
    assert line["nested"] == {
        "caller_name": masker.personal("Anna"),
        "unique_id": "1763846851",
        "ms": 1.5,
        "none": None,
    }
    assert line["reason"] == f"to {masker.personal('0123456789')}"
    assert line["attempt"] == 3
