"""Laws of the SIP syntax: all is read back, however it is cut, and nothing breaks out."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.sip.addresses import NameAddress, Parameters, Uri, plain_name
from fastagi_server.sip.digest import Challenge, authorization, best_challenge
from fastagi_server.sip.errors import SipSyntaxError, SipValueError
from fastagi_server.sip.fields import CSeq, Via
from fastagi_server.sip.framing import MessageReader
from fastagi_server.sip.headers import Headers
from fastagi_server.sip.messages import Message, Request, Response, parse_message
from fastagi_server.sip.quoting import quote, split, unquote

ODD = st.sampled_from(" \t\"\\,;<>=:@%[]()'?&")
SPOKEN = st.text(ODD | st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
NAUGHTY = st.text(ODD | st.sampled_from("\r\n\0\x7f\ud800") | st.characters(), max_size=30)
TOKENS = st.from_regex(r"\A[A-Za-z0-9.!%*_+`'~-]{1,12}\Z")
NAMES = TOKENS.filter(lambda name: name.lower() not in {"content-length", "l"})
VALUES = SPOKEN.map(lambda text: text.strip(" \t"))
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(Headers)
URIS = st.from_regex(r"\Asips?:[A-Za-z0-9.%;=@?\[\]:\xe4-]{1,20}\Z")
BODIES = st.binary(max_size=60) | st.just(b"v=0\r\n\r\nINVITE sip:x SIP/2.0\r\n\r\n")
MESSAGES: st.SearchStrategy[Message] = st.builds(
    Request, TOKENS, URIS, HEADERS, BODIES
) | st.builds(Response, st.integers(100, 699), SPOKEN, HEADERS, BODIES)
PARAMETERS = st.lists(
    st.tuples(st.from_regex(r"\A[A-Za-z0-9.!*_-]{1,8}\Z"), st.none() | SPOKEN), max_size=4
).map(Parameters)
HOSTS = st.sampled_from(["h", "a-b.example.org", "192.0.2.1", "[2001:db8::1]"])
FRAGMENTS = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b"BYE sip:a@b SIP/2.0\r\n",
        b"SIP/2.0 200 OK\r\n",
        b"Content-Length: 0\r\n\r\n",
        b"l: 3\r\n\r\nabc",
        b"Content-Length: 10\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99\r\n",
        b"Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\n",
        b"Subject: a\r\n b\r\n",
        b"no colon\r\n",
        b"From: \xff\0\r\n",
    ]
)
STREAMS = st.lists(FRAGMENTS | st.binary(max_size=12), max_size=14).map(b"".join)


@given(MESSAGES)
def test_a_message_is_read_back(message: Message) -> None:
    """Name by name, value by value, byte by byte of the body."""
    assert parse_message(message.serialize()) == message


@given(st.lists(MESSAGES, max_size=4), st.data())
def test_messages_are_read_back_however_they_are_cut(
    messages: list[Message], data: st.DataObject
) -> None:
    """With keep-alives in between."""
    stream = b"".join(b"\r\n\r\n" + message.serialize() for message in messages)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = MessageReader()
    assert [message for piece in pieces for message in reader.receive(piece)] == messages


def _told(pieces: list[bytes]) -> tuple[list[Message], bool]:
    reader = MessageReader(max_head=90, max_body=12)
    messages: list[Message] = []
    broken = False
    for piece in pieces:
        try:
            for message in reader.receive(piece):
                assert not broken
                messages.append(message)
        except SipSyntaxError:
            broken = True
    return messages, broken


@given(STREAMS, st.data())
def test_any_bytes_are_told_the_same_however_they_are_cut(
    stream: bytes, data: st.DataObject
) -> None:
    """With the limits within reach; nothing but `SipSyntaxError`, and nothing behind it."""
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = _told([stream])
    assert _told(pieces) == whole
    assert _told([stream[place : place + 1] for place in range(len(stream))]) == whole
    for message in whole[0]:
        assert parse_message(message.serialize()) == message


@given(st.text(max_size=40) | NAUGHTY)
def test_any_text_is_a_value_or_a_syntax_error(text: str) -> None:
    """Of every field that is taken apart."""
    for parse in (Uri.parse, NameAddress.parse, Via.parse, CSeq.parse, Challenge.parse, unquote):
        with suppress(SipSyntaxError):
            parse(text)
    for separator in ",;":
        with suppress(SipSyntaxError):
            split(text, separator)
    best_challenge([text])


@given(TOKENS, NAUGHTY)
def test_no_header_value_breaks_out(name: str, text: str) -> None:
    """It is refused, or it is one header on one line that is read back."""
    try:
        headers = Headers([(name, text)])
    except SipValueError:
        return
    sent = Request("BYE", "sip:a", headers).serialize()
    assert sent.count(b"\r\n") == sent.count(b"\n") == sent.count(b"\r") == 4
    assert b"\0" not in sent
    assert list(parse_message(sent).headers) == list(headers)


@given(NAUGHTY, NAUGHTY)
def test_no_name_or_parameter_breaks_out(name: str, value: str) -> None:
    """What a user calls himself is his display name and nothing else."""
    try:
        address = NameAddress("sip:a@b", name, Parameters([("x", value)]))
    except SipValueError:
        assert name != plain_name(name) or value != plain_name(value)
        return
    assert NameAddress.parse(str(address)) == address
    assert Headers([("From", str(address))]).elements("From") == [str(address)]
    assert split(str(address), ";")[0] == str(NameAddress("sip:a@b", name))


@given(NAUGHTY)
def test_a_typed_name_can_always_be_sent(text: str) -> None:
    """Whatever was typed."""
    name = plain_name(text * 20)
    assert NameAddress.parse(str(NameAddress("sip:a@b", name))).display_name == name


@given(SPOKEN, HOSTS, st.none() | st.integers(0, 65535), PARAMETERS)
def test_a_uri_is_read_back(user: str, host: str, port: int | None, parameters: Parameters) -> None:
    """Whatever is dialled, it is the user of the URI and cannot be its host."""
    uri = Uri(user, host, port, parameters)
    assert Uri.parse(str(uri)) == uri
    assert Request("INVITE", str(uri), Headers()).uri == str(uri)
    assert NameAddress.parse(f"<{uri}>").uri == str(uri)


@given(PARAMETERS, st.text(alphabet="abc09.:[]", min_size=1, max_size=9))
def test_a_via_is_read_back(parameters: Parameters, sent_by: str) -> None:
    """With any parameters that may be in it."""
    via = Via("TCP", sent_by, parameters)
    assert Via.parse(str(via)) == via
    assert Headers([("Via", f"{via}, {via}")]).elements("v") == [str(via)] * 2


@given(SPOKEN)
def test_quoting_is_undone(text: str) -> None:
    """And a quoted string is one piece for every separator."""
    assert unquote(quote(text)) == text
    assert split(quote(text), ",") == split(quote(text), ";") == [quote(text)]


@given(SPOKEN, SPOKEN, SPOKEN, BODIES, st.sampled_from(["MD5", "SHA-256"]))
def test_an_answer_to_any_challenge_can_be_sent(
    realm: str, nonce: str, username: str, body: bytes, algorithm: str
) -> None:
    """It is one header, whose parameters are read back."""
    asked = f"Digest realm={quote(realm)}, nonce={quote(nonce)}, algorithm={algorithm}, qop=auth"
    challenge = best_challenge([asked])
    assert challenge is not None
    value = authorization(
        challenge,
        username=username,
        password="p",
        method="INVITE",
        uri="sip:a",
        nc=1,
        cnonce="c",
        body=body,
    )
    assert Headers([("Authorization", value)]).get("authorization") == value.strip(" \t")
    echoed = Challenge.parse(value)
    assert (echoed.realm, echoed.nonce, echoed.algorithm) == (realm, nonce, algorithm)
