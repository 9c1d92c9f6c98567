"""SIP URIs and addresses: read, written, and kept from breaking out of their place."""

from contextlib import suppress

import pytest

from fastagi_server.sip.addresses import NameAddress, Parameters, Uri, plain_name
from fastagi_server.sip.errors import SipSyntaxError, SipValueError
from fastagi_server.sip.quoting import quote, split, unquote


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:alice@atlanta.com", Uri("alice", "atlanta.com")),
        ("sip:alice:secretword@atlanta.com", Uri("alice", "atlanta.com")),
        ("sips:1212@gateway.com", Uri("1212", "gateway.com", scheme="sips")),
        ("SIP:192.0.2.4:5062", Uri("", "192.0.2.4", 5062)),
        (
            "sip:1001@[2001:db8::1]:5070;transport=tcp;lr",
            Uri("1001", "[2001:db8::1]", 5070, Parameters([("transport", "tcp"), ("lr", None)])),
        ),
        ("sip:[::1]", Uri("", "[::1]")),
        ("sip:j%40s0n@example.com", Uri("j@s0n", "example.com")),
        ("sip:a;b?c@example.com", Uri("a;b?c", "example.com")),
        ("sip:%D0%B0%23@h", Uri("\u0430#", "h")),
        ("sip:%FF%00@h", Uri("\ufffd\ufffd", "h")),
        ("sip:a@h;x=%3D%22", Uri("a", "h", None, Parameters([("x", '="')]))),
        ("sip:a@h;x=;;y", Uri("a", "h", None, Parameters([("x", ""), ("y", None)]))),
        ("sip:a@h?Replaces=1%402", Uri("a", "h")),
        ("sip:a@h.", Uri("a", "h.")),
    ],
)
def test_a_uri_is_read(text: str, uri: Uri) -> None:
    """Examples of RFC 3261, 19.1.3, and the escapes of 19.1.2."""
    assert Uri.parse(text) == uri
    assert Uri.parse(str(uri)) == uri


def test_a_uri_is_written_with_escapes() -> None:
    """What could end the user or a parameter is escaped; `#` must be, `*` need not."""
    parameters = Parameters([("transport", "tcp"), ("x", "a;b=c"), ("lr", None)])
    assert str(Uri("*98#@a:b c", "10.0.0.1", 5060, parameters)) == (
        "sip:*98%23%40a%3Ab%20c@10.0.0.1:5060;transport=tcp;x=a%3Bb%3Dc;lr"
    )
    assert str(Uri("", "asterisk")) == "sip:asterisk"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip",
        "tel:+4930123",
        "http://h",
        "sip:a@",
        "sip:a@h:",
        "sip:a@h:x",
        "sip:a@h:65536",
        "sip:a@h:\u0661",
        "sip:a@h:-1",
        "sip:a@h_\xe4",
        "sip:a@-h",
        "sip:a@[::1",
        "sip:a@h;=x",
        "sip:a@h;x=%0d%0aX:y",
        "sip:a b@h",
        "sip:a@h>",
        'sip:"a"@h',
        "sip:a@h\r\nX: y",
    ],
)
def test_no_uri_is_refused(text: str) -> None:
    """Other schemes are for those who keep them as text."""
    with pytest.raises(SipSyntaxError):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("user", "host", "port", "scheme"),
    [
        ("a\r\nb", "h", None, "sip"),
        ("a\0", "h", None, "sip"),
        ("\ud800", "h", None, "sip"),
        ("a", "", None, "sip"),
        ("a", "h;x", None, "sip"),
        ("a", "h\r\n", None, "sip"),
        ("a", "h", -1, "sip"),
        ("a", "h", 65536, "sip"),
        ("a", "h", None, "tel"),
    ],
)
def test_no_uri_is_made(user: str, host: str, port: int | None, scheme: str) -> None:
    """Not even by mistake."""
    with pytest.raises(SipValueError):
        Uri(user, host, port, scheme=scheme)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("<sip:a@b>", NameAddress("sip:a@b")),
        ("sip:a@b;tag=7", NameAddress("sip:a@b", "", Parameters([("tag", "7")]))),
        ("Alice Liddell <sip:a@b>", NameAddress("sip:a@b", "Alice Liddell")),
        (
            '"A. \\"Al\\" <x>; L\\\\" <sip:a@b;lr>;tag="1;2" ; x',
            NameAddress(
                "sip:a@b;lr", 'A. "Al" <x>; L\\', Parameters([("tag", "1;2"), ("x", None)])
            ),
        ),
        ('""<tel:+4930123>', NameAddress("tel:+4930123")),
        (
            '"\u5c71\u7530" <sip:a@b>;x=',
            NameAddress("sip:a@b", "\u5c71\u7530", Parameters([("x", "")])),
        ),
    ],
)
def test_an_address_is_read(value: str, address: NameAddress) -> None:
    """With and without brackets, with quotes, with parameters of the URI or of the field."""
    assert NameAddress.parse(value) == address
    assert NameAddress.parse(str(address)) == address


def test_a_name_of_ten_kilobytes_is_read() -> None:
    """It is somebody else's to cut; the head's limit is not reached."""
    name = '\\"' * 5000
    assert NameAddress.parse(f'"{name}" <sip:a@b>').display_name == '"' * 5000


def test_an_address_is_written() -> None:
    """The name always in quotes, the URI always in brackets."""
    address = NameAddress("sip:a@b;lr", 'Ann "A" \\', Parameters([("tag", "7"), ("q", "a b")]))
    assert str(address) == '"Ann \\"A\\" \\\\" <sip:a@b;lr>;tag=7;q="a b"'
    assert str(NameAddress("sip:a@b")) == "<sip:a@b>"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "*",
        "nobody",
        "<>",
        "<sip:a",
        '"Ann <sip:a>',
        "<sip:a> x",
        "<sip:a b>",
        "<a>",
        '"A" b <sip:a>',
        "<sip:a>;=x",
        '<sip:a>;x="',
        '<sip:a>;x="a"b',
        "<sip:>",
    ],
)
def test_no_address_is_refused(value: str) -> None:
    """Also the `*` of a Contact, which no dialog has."""
    with pytest.raises(SipSyntaxError):
        NameAddress.parse(value)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("sip:a@b>\r\nX: y", ""),
        ("sip:a@b> <sip:c", ""),
        ("sip:a b", ""),
        ("nobody", ""),
        ("sip:a@b", 'Ann" <sip:boss@b>\r\nX-SGE-Gateway: stolen'),
        ("sip:a@b", "Ann\0"),
        ("sip:a@b", "\udc80"),
    ],
)
def test_no_address_breaks_out_of_its_field(uri: str, name: str) -> None:
    """Header injection by a display name or a URI is an error, not a header."""
    with pytest.raises(SipValueError):
        NameAddress(uri, name)


def test_quotes_in_a_name_stay_in_the_name() -> None:
    """A name that looks like an address is read back as a name."""
    address = NameAddress("sip:ann@b", 'Boss" <sip:boss@b>;tag=1, "x')
    assert NameAddress.parse(str(address)) == address
    assert split(str(address), ",") == [str(address)]


def test_a_typed_name_becomes_one_line() -> None:
    """Control characters are blanks, and 128 characters are enough."""
    assert plain_name(" Ann\r\n\tLee\0 \x7f ") == "Ann Lee"
    assert plain_name("\ud800") == ""
    assert plain_name("\u5c71" * 10_000) == "\u5c71" * 128
    assert plain_name("x" * 127 + " yz") == "x" * 127


def test_a_tag_is_set_once() -> None:
    """The second replaces the first, and the other parameters stay."""
    address = NameAddress.parse("<sip:a@b>;x;tag=1")
    assert address.tag == "1"
    assert str(address.tagged("2")) == "<sip:a@b>;x;tag=2"
    assert NameAddress("sip:a@b").tag is None


def test_parameters_are_asked_in_any_case() -> None:
    """A flag is there without a value."""
    parameters = Parameters([("Rport", None), ("Branch", "z9")])
    assert ("rport" in parameters, "branch" in parameters, "x" in parameters) == (True, True, False)
    assert 7 not in parameters
    assert (parameters.get("BRANCH"), parameters.get("rport"), parameters.get("x")) == (
        "z9",
        None,
        None,
    )
    assert parameters != list(parameters)
    assert hash(parameters) == hash(Parameters(parameters))
    assert repr(parameters) == "Parameters([('Rport', None), ('Branch', 'z9')])"


@pytest.mark.parametrize(
    "pair", [("", "x"), ("a b", None), ("a\r\n", None), ("a", "b\r\nc"), ("a;b", "c")]
)
def test_no_parameter_breaks_out(pair: tuple[str, str | None]) -> None:
    """Neither by its name nor by its value."""
    with pytest.raises(SipValueError):
        Parameters([pair])


def test_quoting_and_its_inverse() -> None:
    """Text without quotes says itself; a quote within must be escaped."""
    assert quote('a"b\\') == '"a\\"b\\\\"'
    assert (unquote('"a\\"b\\\\"'), unquote("plain"), unquote('""')) == ('a"b\\', "plain", "")
    for text in ('"', '"a', '"a"b', '"a\\"'):
        with pytest.raises(SipSyntaxError):
            unquote(text)


@pytest.mark.parametrize(
    "piece", ['"', '\\"', "<", ">", ",", ";", " ", "\t", "a", "=", "%", '"<', "@", ":"]
)
def test_the_longest_value_is_quick(piece: str) -> None:
    """No pattern goes over a text more than a few times; others would run into the time-out."""
    text = piece * (100_000 // len(piece))
    for value in (text, f'"{text}', f"<{text}", f"sip:{text}", f"<sip:a>;{text}"):
        for parse in (NameAddress.parse, Uri.parse, unquote):
            with suppress(SipSyntaxError):
                parse(value)
        with suppress(SipSyntaxError):
            assert len(split(value, ",")) <= 100_001
