"""SIP messages: what is read from the wire, what is written to it, and what is refused."""

import re

import pytest

from fastagi_server.sip.errors import SipError, SipSyntaxError, SipValueError
from fastagi_server.sip.fields import CSeq, Via
from fastagi_server.sip.headers import COMPACT, Headers
from fastagi_server.sip.messages import Request, Response, parse_message

INVITE = (
    b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
    b"To: Bob <sip:bob@biloxi.example.com>\r\n"
    b"Call-ID: 3848276298220188511@atlanta.example.com\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"v=0\r\n"
)


def parsed(*lines: str, body: bytes = b"") -> Request | Response:
    """The message of these lines, with its length written in."""
    head = "\r\n".join((*lines, f"Content-Length: {len(body)}", "", ""))
    return parse_message(head.encode() + body)


def test_a_request_is_read() -> None:
    """The parts of the first message of RFC 3665, 3.1."""
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("INVITE", "sip:bob@biloxi.example.com")
    assert message.headers.get("call-id") == "3848276298220188511@atlanta.example.com"
    assert message.headers.get("Max-Forwards") == "70"
    assert message.body == b"v=0\r\n"


def test_a_request_is_written_as_it_was_read() -> None:
    """Order, names and values stay; the length is counted anew, at the end of the head."""
    assert parse_message(INVITE).serialize() == INVITE


def test_a_response_is_read_and_written() -> None:
    """The reason is text, and may be missing with or without the blank before it."""
    for line, reason in (
        (b"SIP/2.0 486 Busy Here", "Busy Here"),
        (b"SIP/2.0 486 ", ""),
        (b"SIP/2.0 486", ""),
        (b"sip/2.0 486 ja \xc3\xbc", "ja \xfc"),
    ):
        message = parse_message(line + b"\r\nContent-Length: 0\r\n\r\n")
        assert message == Response(486, reason, Headers())
    assert Response(486, "Busy Here", Headers([("To", "<sip:a@b>;tag=1")])).serialize() == (
        b"SIP/2.0 486 Busy Here\r\nTo: <sip:a@b>;tag=1\r\nContent-Length: 0\r\n\r\n"
    )


def test_compact_names_are_the_long_ones() -> None:
    """Whichever form is on the wire and whichever is asked for (RFC 3261, 7.3.3)."""
    message = parse_message(b"BYE sip:a SIP/2.0\r\ni: 7\r\nV: one\r\nvia: two\r\nl: 2\r\n\r\nab")
    assert message.headers.get("Call-ID") == message.headers.get("I") == "7"
    assert message.headers.get_all("v") == ["one", "two"]
    assert list(message.headers) == [("Call-ID", "7"), ("Via", "one"), ("via", "two")]
    assert message.body == b"ab"
    assert len(COMPACT) == 20


def test_folded_values_are_one_line() -> None:
    """A line that begins with a blank continues the one before (RFC 3261, 7.3.1)."""
    message = parsed("OPTIONS sip:a SIP/2.0", "Subject: I know you're there,", " \t pick up", "\tX")
    assert message.headers.get("Subject") == "I know you're there, pick up X"


def test_blanks_around_the_colon_mean_nothing() -> None:
    """RFC 3261, 7.3.1, lists these spellings as equal."""
    for line in ("Subject:lunch", "Subject : lunch", "SUBJECT\t:\t lunch  "):
        assert parsed("OPTIONS sip:a SIP/2.0", line).headers.get("subject") == "lunch"


def test_elements_are_divided_by_commas_outside_of_quotes() -> None:
    """Several fields and one field with commas say the same."""
    headers = Headers(
        [
            ("Route", '<sip:a;lr,x>, "Smith, \\"J\\"" <sip:b>;x="1,2" ,, <sip:c>'),
            ("Supported", "timer"),
            ("route", "<sip:d>"),
        ]
    )
    assert headers.elements("Route") == [
        "<sip:a;lr,x>",
        '"Smith, \\"J\\"" <sip:b>;x="1,2"',
        "<sip:c>",
        "<sip:d>",
    ]
    assert headers.elements("Supported") == ["timer"]
    assert headers.elements("Allow") == []


@pytest.mark.parametrize("value", ['"open', "<sip:a", 'x, "a\\"', '"a" "'])
def test_elements_with_open_quotes_are_refused(value: str) -> None:
    """Where the next one begins cannot be told."""
    with pytest.raises(SipSyntaxError, match="not closed"):
        Headers([("Route", value)]).elements("Route")


def test_headers_are_changed_by_making_new_ones() -> None:
    """The old ones stay as they are."""
    old = Headers([("Via", "1"), ("To", "x"), ("v", "2")])
    assert list(old.adding(("f", "y"))) == [*old, ("From", "y")]
    assert list(old.without("VIA", "Nothing")) == [("To", "x")]
    assert ("v" in old, "t" in old, "From" in old, 7 in old, len(old)) == (
        True,
        True,
        False,
        False,
        3,
    )
    assert old == Headers(old)
    assert hash(old) == hash(Headers(old))
    assert old != tuple(old)
    assert repr(Headers([("To", "x")])) == "Headers([('To', 'x')])"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-SGE-User", "alice\r\nX-SGE-Gateway: stolen"),
        ("X-SGE-User", "alice\nX: y"),
        ("X-SGE-User", "alice\rX: y"),
        ("X-SGE-User", "alice\0"),
        ("X-SGE-User", "alice\x7f"),
        ("X-SGE-User", "\ud800"),
        ("X\r\nY", "z"),
        ("X Y", "z"),
        ("X:", "z"),
        ("", "z"),
        ("X\xe4", "z"),
        ("Content-Length", "7"),
        ("l", "7"),
    ],
)
def test_nothing_can_be_put_into_a_header_that_breaks_out(name: str, value: str) -> None:
    """Neither when it is made nor when it is added."""
    with pytest.raises(SipValueError):
        Headers([(name, value)])
    with pytest.raises(SipValueError):
        Headers().adding((name, value))


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("IN VITE", "sip:a"),
        ("", "sip:a"),
        ("INVITE", ""),
        ("INVITE", "sip:a b"),
        ("INVITE", "sip:a\r\nX: y"),
        ("INVITE", "sip:a\0"),
        ("INVITE", "<sip:a>"),
    ],
)
def test_a_request_line_is_three_words(method: str, uri: str) -> None:
    """A blank or a line end in one of them would make it another request."""
    with pytest.raises(SipValueError):
        Request(method, uri, Headers())


@pytest.mark.parametrize(
    ("status", "reason"), [(99, ""), (700, ""), (-1, ""), (200, "a\r\nb"), (200, "\0")]
)
def test_a_status_line_is_one_line(status: int, reason: str) -> None:
    """With a status that there is."""
    with pytest.raises(SipValueError):
        Response(status, reason, Headers())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"INVITE sip:a SIP/2.0",
        b"INVITE sip:a SIP/2.0\r\n",
        b"INVITE sip:a SIP/2.0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\n\nContent-Length: 0\n\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 0\nX: y\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 0\rX: y\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 1\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\nx",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: +0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 0x0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length:\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: \xd9\xa0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nContent-Length: 0\r\nl: 1\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\n: 0\r\nContent-Length: 0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\n X: folded into nothing\r\nContent-Length: 0\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nX Y: z\r\nContent-Length: 0\r\n\r\n",
        b"INVITE sip:a SIP/3.0\r\nContent-Length: 0\r\n\r\n",
        b"INVITE  sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n",
        b"INVITE sip:a\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"INV\0ITE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 20 OK\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 700 OK\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 O\0K\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Half line ends, lengths that are none, other protocols."""
    with pytest.raises(SipSyntaxError):
        parse_message(data)


def test_bytes_of_a_caller_do_not_break_the_connection() -> None:
    """A name in Latin-1 or with control characters is shown with replacement characters."""
    message = parse_message(
        b'BYE sip:a SIP/2.0\r\nFrom: "J\xfcrgen\x00\x1b[31m" <sip:a@b>\r\nContent-Length: 0\r\n\r\n'
    )
    assert message.headers.get("From") == '"J\ufffdrgen\ufffd\ufffd[31m" <sip:a@b>'
    assert b"\0" not in message.serialize()


def test_a_message_has_at_most_256_headers() -> None:
    """One more is a breach."""
    line = b"X: y\r\n"
    start, length = b"BYE sip:a SIP/2.0\r\n", b"Content-Length: 0\r\n\r\n"
    assert len(parse_message(start + line * 255 + length).headers) == 255
    with pytest.raises(SipSyntaxError, match="more than 256 headers"):
        parse_message(start + line * 256 + length)


def test_an_error_repeats_little_of_the_input() -> None:
    """Logs stay short and on one line, whatever a peer sends."""
    with pytest.raises(SipSyntaxError) as error:
        parsed("INVITE sip:a SIP/2.0", "x\x1b" * 4000)
    assert len(str(error.value)) < 300
    assert re.search("[\x00-\x1f]", str(error.value)) is None
    assert isinstance(error.value, SipError)
    assert error.value.code == "sip_syntax"


def test_via_is_read_and_written() -> None:
    """With the blanks that RFC 3261, 25.1, allows, and with parameters added on the way."""
    via = Via.parse('SIP / 2.0 / TCP  [2001:db8::1]:5060 ; branch=z9hG4bK7 ;rport;x="a;b"')
    assert (via.transport, via.sent_by, via.branch) == ("TCP", "[2001:db8::1]:5060", "z9hG4bK7")
    assert "rport" in via.parameters
    assert via.parameters.get("rport") is None
    assert str(via) == 'SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK7;rport;x="a;b"'


@pytest.mark.parametrize(
    "value",
    ["", "SIP/2.0/TCP", "SIP/3.0/TCP a", "SIP/2.0/TCP a b", "SIP/2.0/TCP a<", "\u017fIP/2.0/TCP a"],
)
def test_no_via_is_refused(value: str) -> None:
    """A response could not be sent back by it."""
    with pytest.raises(SipSyntaxError):
        Via.parse(value)


@pytest.mark.parametrize(("transport", "sent_by"), [("T P", "a"), ("TCP", "a\r\nb"), ("TCP", "")])
def test_no_via_is_made(transport: str, sent_by: str) -> None:
    """Not even by mistake."""
    with pytest.raises(SipValueError):
        Via(transport, sent_by)


def test_cseq_is_read_and_written() -> None:
    """A number below 2**31 and a method, which is told in the case of the wire."""
    assert CSeq.parse("4711 \t INVITE") == CSeq(4711, "INVITE")
    assert str(CSeq(2147483647, "BYE")) == "2147483647 BYE"


@pytest.mark.parametrize(
    "value", ["", "1", "INVITE", "-1 BYE", "2147483648 BYE", "1 B Y", "\u0661 BYE"]
)
def test_no_cseq_is_refused(value: str) -> None:
    """The request could not be told from others."""
    with pytest.raises(SipSyntaxError):
        CSeq.parse(value)


@pytest.mark.parametrize(("number", "method"), [(-1, "BYE"), (2**31, "BYE"), (1, "B\r\nYE")])
def test_no_cseq_is_made(number: int, method: str) -> None:
    """Not even by mistake."""
    with pytest.raises(SipValueError):
        CSeq(number, method)
