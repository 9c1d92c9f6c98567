"""Whatever is quoted or escaped, Asterisk reads it back: against its parsers, written anew here."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastagi_server.agi.command import command
from fastagi_server.agi.commands import mset, set_variable
from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.agi.guards import escape_application_argument
from fastagi_server.agi.results import nothing

WRITABLE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")
    | st.integers(0xDC80, 0xDCFF).map(chr)
    | st.sampled_from(" \t\"\\,()[]{}$|;&='")
)
NAMES = st.from_regex(r"\A_{0,2}[A-Za-z][A-Za-z0-9_]{0,8}\Z")
UNWRITABLE = (
    st.sampled_from("\n\r\0")
    | st.integers(0xD800, 0xDC7F).map(chr)
    | st.integers(0xDD00, 0xDFFF).map(chr)
)


def encode(text: str) -> bytes:
    """The bytes that a text stands for."""
    return text.encode("utf-8", "surrogateescape")


def parse_args(line: bytes) -> list[bytes]:
    """The words of a line as Asterisk 22 reads them: agi.md 1.3.

    A quote toggles, a backslash takes the next byte as it is, in quotes and out of them, and blanks
    divide words where neither holds.
    """
    words: list[bytes] = []
    word: bytearray | None = None
    quoted = escaped = False
    for byte in line:
        if byte == ord('"') and not escaped:
            quoted = not quoted
            word = bytearray() if word is None and quoted else word
        elif byte == ord("\\") and not escaped:
            escaped = True
            continue
        elif byte in b" \t" and not quoted and not escaped:
            if word is not None:
                words.append(bytes(word))
            word = None
        else:
            word = bytearray() if word is None else word
            word.append(byte)
        escaped = False
    return words if word is None else [*words, bytes(word)]


def separate(text: bytes, delimiter: int, slots: int) -> list[bytes]:
    """The arguments of an application as Asterisk divides them; the last slot takes the rest.

    Quotes and backslashes are removed, and a delimiter counts only outside quotes, parentheses and
    brackets. The rest in the last slot keeps all its characters.
    """
    found: list[bytes] = []
    argument = bytearray()
    depth = {ord("("): 0, ord("["): 0}
    openers = {ord(")"): ord("("), ord("]"): ord("[")}
    quoted = escaped = False
    for position, byte in enumerate(text):
        if len(found) == slots - 1:
            return [*found, text[position:]]
        if escaped:
            escaped = False
            argument.append(byte)
            continue
        if byte == delimiter and not quoted and not any(depth.values()):
            found.append(bytes(argument))
            argument.clear()
            continue
        if byte in depth:
            depth[byte] += 1
        elif byte in openers:
            depth[openers[byte]] = max(0, depth[openers[byte]] - 1)
        quoted ^= byte == ord('"')
        escaped = byte == ord("\\")
        if byte not in b'"\\':
            argument.append(byte)
    return [*found, bytes(argument)]


def read_mset(options: bytes) -> dict[bytes, bytes]:
    """What the MSet of Asterisk 22 sets: up to 99 pairs, each divided at its first `=`."""
    pairs = (separate(pair, ord("="), 2) for pair in separate(options, ord(","), 99))
    return {pair[0]: pair[1] for pair in pairs}


@given(st.lists(WRITABLE, max_size=8))
@example([""])
@example(["\\"])
@example(['"', "\\\\", '\\"', "a b\tc"])
@example(["\udce9", "H\udcc3"])
def test_asterisk_reads_back_what_is_quoted(arguments: list[str]) -> None:
    """Any text without a line end or NUL, undecodable bytes included, is one word of the line."""
    line = command("NOOP", *arguments, parse=nothing).line
    assert line.count(b"\n") == 1
    assert parse_args(line[:-1]) == [b"NOOP", *map(encode, arguments)]


@given(st.lists(WRITABLE, min_size=1, max_size=3))
def test_no_more_words_are_written_than_asterisk_has_room_for(texts: list[str]) -> None:
    """Each argument is one word, so counting arguments is counting words."""
    arguments = (texts * 126)[:126]
    with pytest.raises(AgiGuardError):
        command("NOOP", *arguments, parse=nothing)
    assert len(parse_args(command("NOOP", *arguments[:125], parse=nothing).line[:-1])) == 126


@given(st.text(), UNWRITABLE, st.text())
def test_what_cannot_be_written_is_always_refused(before: str, bad: str, after: str) -> None:
    """Whatever stands around it, and never by another kind of error."""
    with pytest.raises(AgiGuardError):
        set_variable("X", before + bad + after)


@given(st.dictionaries(NAMES, WRITABLE, min_size=1, max_size=98))
@example({"A": "", "B": ""})
@example({"A": "x=y,z", "B": '(["'})
@example({"A": "${B}", "B": "$[1+1]"})
@example({f"V{number}": "a,b" for number in range(98)})
def test_mset_sets_what_was_meant(variables: dict[str, str]) -> None:
    """Through both of Asterisk's parsers, one below the other."""
    words = parse_args(mset(variables).line[:-1])
    assert words[:2] == [b"EXEC", b"MSet"]
    assert read_mset(words[2]) == {encode(n): encode(v) for n, v in variables.items()}


@given(WRITABLE)
def test_an_escaped_text_is_no_expression(text: str) -> None:
    """With AGIEXECFULL=yes Asterisk looks for `${` and `$[` before it removes the escapes."""
    assert re.search(r"\$[{\[]", escape_application_argument(text)) is None


@given(st.lists(WRITABLE, min_size=1, max_size=6))
def test_an_escaped_text_is_one_argument(texts: list[str]) -> None:
    """An application finds as many arguments as were joined by commas."""
    options = ",".join(map(escape_application_argument, texts))
    assert separate(encode(options), ord(","), 99) == list(map(encode, texts))
