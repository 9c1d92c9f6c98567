"""The environment block: agi.md 1.1 (the script of the URL) and 1.2."""

from urllib.parse import quote

import pytest

from fastagi_server.agi.errors import AgiRequestError
from fastagi_server.agi.request import AgiRequest, parse_request

OBSERVED = b"""agi_network: yes
agi_network_script: register?participant=SIP%2F1001&type=audio
agi_request: agi://127.0.0.1:4573/register?participant=SIP%2F1001&type=audio
agi_channel: PJSIP/1002-00000001
agi_language: en
agi_type: PJSIP
agi_uniqueid: 1795379895.1
agi_version: 22.10.1+dfsg+~cs6.17.60671434-1
agi_callerid: 1002
agi_calleridname: unknown
agi_callingpres: 67
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 1001
agi_rdnis: unknown
agi_context: sky-genesis-voip
agi_extension: 1001
agi_priority: 2
agi_enhanced: 0.0
agi_accountcode:\x20
agi_threadid: 140582897739456"""

MINIMAL = b"agi_network: yes\nagi_uniqueid: 17.4"


def with_lines(*lines: bytes) -> AgiRequest:
    """The request of the minimal block with these lines behind it."""
    return parse_request(b"\n".join((MINIMAL, *lines)))


def test_every_line_of_asterisk_22_is_read() -> None:
    """The 22 lines that Asterisk 22 sends for a script without arguments are all there."""
    request = parse_request(OBSERVED)
    assert len(request.variables) == 22
    assert request.unique_id == "1795379895.1"
    assert request.channel == "PJSIP/1002-00000001"
    assert request.extension == "1001"
    assert request.version == "22.10.1+dfsg+~cs6.17.60671434-1"
    assert request["agi_context"] == "sky-genesis-voip"
    assert request["agi_accountcode"] == ""
    assert request.arguments == ()


def test_the_script_is_split_into_path_and_query() -> None:
    """Asterisk hands over the URL's path with its query string, without the leading slash."""
    request = parse_request(OBSERVED)
    assert request.path == "register"
    assert request.query == {"participant": "SIP/1001", "type": "audio"}


def test_a_url_without_a_path_has_the_empty_path() -> None:
    """`agi://host` sends no agi_network_script line."""
    request = parse_request(MINIMAL)
    assert request.path == ""
    assert request.query == {}


@pytest.mark.parametrize(
    ("script", "path", "query"),
    [
        ("end", "end", {}),
        ("/calls/register/", "calls/register", {}),
        ("?x=1", "", {"x": "1"}),
        ("r?", "r", {}),
        ("r?x", "r", {"x": ""}),
        ("r?x=", "r", {"x": ""}),
        ("r?=1&y=2", "r", {"y": "2"}),
        ("r?&&x=1", "r", {"x": "1"}),
        ("r?x=1=2", "r", {"x": "1=2"}),
        ("r?x=1&x=2", "r", {"x": "1"}),
        ("r?x=%2B33%201%2F%C3%A9", "r", {"x": "+33 1/é"}),
        ("r?x=+33", "r", {"x": "+33"}),
        ("r?x=%E9", "r", {"x": "\udce9"}),
        ("r?x=%26%3D%3F", "r", {"x": "&=?"}),
        ("r?%78=1", "r", {"x": "1"}),
        ("r?x=100%", "r", {"x": "100%"}),
        ("r?x=a%0Ab", "r", {"x": "a\nb"}),
    ],
)
def test_the_query_is_decoded_as_urlencode_wrote_it(
    script: str, path: str, query: dict[str, str]
) -> None:
    """URIENCODE writes a space as %20, so a plus is a plus; the first value of a name wins."""
    block = f"agi_network: yes\nagi_network_script: {script}\nagi_uniqueid: 1.1".encode()
    request = parse_request(block)
    assert (request.path, dict(request.query)) == (path, query)


def test_unknown_is_asterisks_word_for_nothing() -> None:
    """A missing number or name is the word `unknown`, and a missing line counts the same."""
    request = parse_request(OBSERVED)
    assert request["agi_calleridname"] == "unknown"
    assert request.known("agi_calleridname") == ""
    assert request.known("agi_callerid") == "1002"
    assert request.known("agi_nothing") == ""
    assert request["agi_nothing"] == ""


def test_arguments_come_in_order() -> None:
    """`agi_arg_1` to `agi_arg_N` are the arguments behind the URL, empty ones included."""
    request = with_lines(b"agi_arg_1: one", b"agi_arg_2: ", b"agi_arg_3: a: b")
    assert request.arguments == ("one", "", "a: b")


def test_a_value_keeps_its_colons_and_spaces() -> None:
    """Only the first colon and one space divide a line (a `:` in arguments was cut elsewhere)."""
    request = with_lines(b"agi_callerid:  a:b ")
    assert request["agi_callerid"] == " a:b "


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"H\xc3\xa9l\xc3\xa8ne", "Hélène"),
        (b"H\xe9l\xe8ne", "H\udce9l\udce8ne"),
        (b"H\xc3", "H\udcc3"),
        (b"\xff\xfe", "\udcff\udcfe"),
        (b"tab\there", "tab\there"),
        (b"cr\r", "cr\r"),
    ],
)
def test_bytes_that_are_not_utf8_do_not_fail_the_call(raw: bytes, text: str) -> None:
    """Latin-1 names and characters cut in two arrive as surrogates and go back unchanged."""
    name = with_lines(b"agi_calleridname: " + raw)["agi_calleridname"]
    assert name == text
    assert name.encode("utf-8", "surrogateescape") == raw


def test_127_arguments_are_taken_and_128_refused() -> None:
    """Asterisk's MAX_ARGS is 128 with the URL itself."""
    lines = [b"agi_arg_%d: x" % number for number in range(1, 129)]
    assert len(with_lines(*lines[:127]).arguments) == 127
    with pytest.raises(AgiRequestError, match="more than 127 arguments"):
        with_lines(*lines)


def test_a_newline_in_the_last_argument_injects_nothing() -> None:
    """Lines behind the arguments that repeat what was heard are dropped: the first wins."""
    request = with_lines(
        b"agi_callerid: 1002", b"agi_arg_1: x", b"agi_callerid: 911", b"agi_foo: y", b"and text"
    )
    assert request["agi_callerid"] == "1002"
    assert request["agi_foo"] == ""
    assert request.arguments == ("x",)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            b"agi_network: yes\nagi_network_script: s?x=\nagi_callerid: 911\nagi_request: r"
            b"\nagi_callerid: 1002\nagi_uniqueid: 1.1",
            id="in the URL",
        ),
        pytest.param(
            b"agi_network: yes\nagi_uniqueid: 1.1\nagi_callerid: x\nagi_context: evil"
            b"\nagi_calleridname: n\nagi_context: real",
            id="in the caller's number",
        ),
        pytest.param(
            b"agi_network: yes\nagi_uniqueid: 1.1\nagi_callerid: x\nagi_callerid: y",
            id="the same line",
        ),
        pytest.param(
            b"agi_network: yes\nagi_uniqueid: 1.1\nagi_callerid: x\nagi_network_script: evil",
            id="a script where the URL had none",
        ),
        pytest.param(
            b"agi_network: yes\nagi_uniqueid: 1.1\nagi_callerid: x\nagi_arg_1: evil"
            b"\nagi_calleridname: n\nagi_arg_1: real",
            id="an argument before the arguments",
        ),
        pytest.param(
            b"agi_network: yes\nagi_uniqueid: 1.1\nagi_arg_1: x\nagi_arg_2: evil\nagi_arg_2: real",
            id="an argument in an argument",
        ),
        pytest.param(b"agi_uniqueid: 1.1\nagi_arg_2: x", id="an argument too far"),
        pytest.param(b"agi_uniqueid: 1.1\nagi_arg_: x", id="an argument without a number"),
        pytest.param(
            b"agi_uniqueid: 1.1\nagi_arg_1: x\nagi_network_script: evil",
            id="a script behind the arguments",
        ),
    ],
)
def test_a_line_out_of_its_place_is_refused(block: bytes) -> None:
    """Asterisk writes each line once in a fixed order, so another order shows an injection."""
    with pytest.raises(AgiRequestError, match="out of place") as caught:
        parse_request(block)
    assert caught.value.kind == "environment"


@pytest.mark.parametrize(
    "line", [b"no colon", b"", b"other: x", b"agi_uniqueid", b" agi_x: y", b"GET / HTTP/1.1"]
)
def test_a_line_that_is_no_pair_is_refused(line: bytes) -> None:
    """Text that is no `agi_key: value` before the arguments is not Asterisk's."""
    with pytest.raises(AgiRequestError):
        parse_request(b"agi_network: yes\n" + line + b"\nagi_uniqueid: 1.1")


def test_an_unknown_line_is_passed_over() -> None:
    """A line that a future Asterisk adds does not fail the call, and is not believed either."""
    assert with_lines(b"agi_colour: red")["agi_colour"] == ""


def test_a_block_without_a_unique_id_is_refused() -> None:
    """Nothing could be registered for a channel without a name."""
    with pytest.raises(AgiRequestError, match="no agi_uniqueid"):
        parse_request(b"agi_network: yes")


def test_the_request_cannot_be_changed() -> None:
    """A route that changed what Asterisk said would mislead those after it."""
    request = parse_request(OBSERVED)
    with pytest.raises(TypeError):
        request.variables["agi_callerid"] = "911"  # type: ignore[index]  # what the test is about
    with pytest.raises(TypeError):
        request.query["type"] = "video"  # type: ignore[index]  # what the test is about


def test_a_query_survives_python_quoting() -> None:
    """What `urllib.parse.quote` writes is read back, as from Asterisk's URIENCODE."""
    text = "SIP/1001 & more=? é +33 100%"
    script = f"r?x={quote(text, safe='')}".encode()
    block = b"agi_network_script: " + script + b"\nagi_uniqueid: 1.1"
    assert parse_request(block).query["x"] == text
