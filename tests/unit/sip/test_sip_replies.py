"""Responses: what they copy, and what tells messages apart."""

import pytest

from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.replies import (
    Envelope,
    answer_plainly,
    cause_of,
    extension_lacked,
    lists,
    reason_fields,
    reply,
    sdp_of,
    stamped,
)

FIELDS = (
    ("Via", "SIP/2.0/TCP b:5060;rport;branch=z9hG4bK2, SIP/2.0/TCP a;branch=z9hG4bK1"),
    ("From", "<sip:a@a>;tag=1"),
    ("To", "<sip:b@b>"),
    ("Call-ID", "c"),
    ("CSeq", "3 INVITE"),
)


def invite(*fields: tuple[str, str], body: bytes = b"") -> Request:
    """An INVITE with more fields."""
    return Request("INVITE", "sip:b@b", Headers((*FIELDS, *fields)), body)


def test_a_reply() -> None:
    """It has the ways, the ends and the number of its request, and a tag where there is none."""
    assert reply(invite(("X", "y")), 486, ("Reason", "z"), tag="2").serialize() == (
        b"SIP/2.0 486 Busy Here\r\n"
        b"Via: SIP/2.0/TCP b:5060;rport;branch=z9hG4bK2, SIP/2.0/TCP a;branch=z9hG4bK1\r\n"
        b"From: <sip:a@a>;tag=1\r\n"
        b"To: <sip:b@b>;tag=2\r\n"
        b"Call-ID: c\r\n"
        b"CSeq: 3 INVITE\r\n"
        b"Reason: z\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_a_tag_is_not_replaced() -> None:
    """And a To that cannot be read goes back as it came."""
    tagged = Headers((*Headers(FIELDS).without("To"), ("To", "<sip:b@b>;tag=9")))
    assert reply(Request("BYE", "sip:b", tagged), 200, tag="2").headers.get("To") == (
        "<sip:b@b>;tag=9"
    )
    broken = Headers((*Headers(FIELDS).without("To"), ("To", "<")))
    assert reply(Request("BYE", "sip:b", broken), 400, tag="2").headers.get("To") == "<"


def test_a_status_without_a_name() -> None:
    """It has none."""
    assert reply(invite(), 299).reason == ""
    assert reply(invite(), 299, reason="Fine").reason == "Fine"


def test_an_envelope() -> None:
    """The five fields, and of the ways the last."""
    envelope = Envelope.of(invite())
    assert (envelope.call_id, envelope.sequence.number, envelope.sender.tag) == ("c", 3, "1")
    assert (envelope.via.branch, envelope.receiver.uri) == ("z9hG4bK2", "sip:b@b")


@pytest.mark.parametrize("name", [name for name, _ in FIELDS])
@pytest.mark.parametrize("value", [None, "", '"'])
def test_a_message_without_its_envelope(name: str, value: str | None) -> None:
    """A missing field is an error, and so is one that says nothing; a Call-ID may be anything."""
    fields = [field for field in FIELDS if field[0] != name]
    if value is not None:
        fields.append((name, value))
    if (name, value) == ("Call-ID", '"'):
        return
    with pytest.raises(SipSyntaxError):
        Envelope.of(Request("INVITE", "sip:b@b", Headers(fields)))


def test_a_number_of_another_method() -> None:
    """The two must agree."""
    with pytest.raises(SipSyntaxError):
        Envelope.of(Request("BYE", "sip:b@b", Headers(FIELDS)))


def test_where_a_request_came_from() -> None:
    """The address goes into the last way, the port where it is asked for."""
    assert stamped(invite(), "10.0.0.1", 4711).headers.get_all("Via") == [
        "SIP/2.0/TCP b:5060;branch=z9hG4bK2;received=10.0.0.1;rport=4711",
        "SIP/2.0/TCP a;branch=z9hG4bK1",
    ]
    plain = Headers((("Via", "SIP/2.0/TCP a;branch=z9hG4bK1"),))
    assert stamped(Request("BYE", "sip:b", plain), "10.0.0.1", 1).headers.get("Via") == (
        "SIP/2.0/TCP a;branch=z9hG4bK1;received=10.0.0.1"
    )


@pytest.mark.parametrize(
    ("kind", "sdp"),
    [
        ("application/sdp", "v=0\r\n"),
        ("Application/SDP; charset=utf-8", "v=0\r\n"),
        ("text/plain", ""),
        ("", ""),
    ],
)
def test_the_sdp_of_a_message(kind: str, sdp: str) -> None:
    """Only what says that it is."""
    assert sdp_of(invite(("Content-Type", kind), body=b"v=0\r\n")) == sdp


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("Q.850;cause=16", 16),
        ('q.850 ; text="x" ; cause = 17', 17),
        ("Q.850;cause=0", None),
        ("SIP;cause=486", None),
        ("Q.850;cause=9999", None),
        ("", None),
    ],
)
def test_the_cause_of_a_message(value: str, cause: int | None) -> None:
    """A number of Q.850 and no other."""
    response = Response(486, "Busy", Headers((("Reason", value),)))
    assert cause_of(response) == cause


def test_the_field_of_a_cause() -> None:
    """One, or none."""
    assert reason_fields(16) == (("Reason", "Q.850;cause=16"),)
    assert reason_fields(None) == ()


def test_lists() -> None:
    """In any case; what cannot be read lists nothing."""
    assert lists(invite(("Allow", "INVITE, update")), "Allow", "UPDATE")
    assert not lists(invite(("Allow", "INVITE")), "Allow", "UPDATE")
    assert not lists(invite(("Allow", 'UPDATE, "')), "Allow", "UPDATE")


def test_an_extension_that_we_lack() -> None:
    """It is named, and what we have is not."""
    refusal = extension_lacked(invite(("Require", "TIMER, x")), "2")
    assert refusal is not None
    assert (refusal.status, refusal.headers.get("Unsupported")) == (420, "x")
    assert extension_lacked(invite(("Require", "timer"))) is None


def test_options() -> None:
    """What we can do."""
    headers = answer_plainly(Request("OPTIONS", "sip:b", Headers(FIELDS))).headers
    assert headers.get("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
    assert headers.get("Supported") == "timer"
    assert headers.get("Accept") == "application/sdp"
