"""Any value survives its way into a real Asterisk and back."""

from collections.abc import Iterator

import pytest
from agi_peer import Conversation, Listener
from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi_server.agi.commands import execute, get_variable, mset, set_variable
from fastagi_server.agi.guards import escape_application_argument
from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk

DIALPLAN = """
[values]
exten => plain,1,AGI(agi://127.0.0.1:{port}/)
exten => expanding,1,Set(AGIEXECFULL=yes)
 same => n,Set(SECRET=boom)
 same => n,AGI(agi://127.0.0.1:{port}/)
"""

VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")
    | st.integers(0xDC80, 0xDCFF).map(chr)
    | st.sampled_from(" \t\"\\,()[]{}$|;&='"),
    max_size=60,
)

NASTY = [
    "",
    " ",
    " leading and trailing ",
    '"',
    "\\",
    '\\"',
    "\\\\n",
    "it's",
    '"quoted"',
    'a "b" c\\d',
    ",",
    "a,b,,c",
    "(",
    ")",
    ")(",
    "((([[[",
    "]]])))",
    "[1,2]",
    "X=1,Y=2",
    "=",
    "$",
    "$$",
    "${",
    "${SECRET}",
    "$[1+1]",
    "${SHELL(id)}",
    "$[",
    "{}",
    "|",
    "a|b",
    ";",
    "&",
    "#",
    "%41%0a",
    "<1001>",
    '"Ann" <1001>',
    "HANGUP",
    "200 result=1 (x)",
    "failure",
    "\t",
    "\x01\x02\x1b\x7f",
    "Zoë",
    "日本語",
    "\U0001f4de\U0001f3fd",
    "e\u0301",
    "\u202eabc",
    "Zo\udceb",
    "\udcff\udcfe",
    "H\udcc3",
    "x" * 1000,
    "é" * 500,
    '\\"' * 500,
    "x" * 8000,
    "\udce9" * 8000,
]


def encode(text: str) -> bytes:
    """The bytes that a text stands for."""
    return text.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def talks(lab_root: Root) -> Iterator[dict[str, Conversation]]:
    """One long session for each extension of the dialplan above."""
    listener = Listener()
    with Asterisk.start(extensions=DIALPLAN.format(port=listener.port), root=lab_root) as asterisk:
        begun: dict[str, Conversation] = {}
        for extension in ("plain", "expanding"):
            asterisk.control.originate("Local/wait@lab", context="values", extension=extension)
            begun[extension] = listener.accept()
            assert begun[extension].receive_request().extension == extension
        with begun["plain"], begun["expanding"]:
            yield begun
    listener.close()


@pytest.fixture(scope="module")
def talk(talks: dict[str, Conversation]) -> Conversation:
    """A session as any other."""
    return talks["plain"]


@pytest.fixture(scope="module")
def expanding(talks: dict[str, Conversation]) -> Conversation:
    """A session whose channel has AGIEXECFULL=yes."""
    return talks["expanding"]


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_any_value_survives_set_variable(talk: Conversation, value: str) -> None:
    """Whatever is quoted, Asterisk itself reads back."""
    talk.execute(set_variable("X", value))
    assert talk.read("X") == encode(value)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=6))
def test_any_values_survive_mset(talk: Conversation, values: list[str]) -> None:
    """Whatever is escaped and quoted, MSet itself reads back."""
    variables = {f"V{place}": value for place, value in enumerate(values)}
    assert talk.execute(mset(variables)) == 0
    assert [talk.read(name) for name in variables] == [encode(value) for value in values]


@settings(max_examples=100, deadline=None)
@given(value=VALUES)
def test_no_value_is_an_expression(expanding: Conversation, value: str) -> None:
    """With AGIEXECFULL=yes MSet's values are still the texts that they were."""
    assert expanding.execute(mset({"X": value, "Y": "1"})) == 0
    assert (expanding.read("X"), expanding.read("Y")) == (encode(value), b"1")


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
def test_a_nasty_value_survives(talk: Conversation, expanding: Conversation, value: str) -> None:
    """What has bitten somebody: quotes, dialplan syntax, expressions, charsets, 1 kB and 8 kB."""
    talk.execute(set_variable("X", value))
    assert talk.read("X") == encode(value)
    if len(escape_application_argument(value)) < 4000:
        for session in (talk, expanding):
            session.execute(mset({"X": value, "Y": value}))
            assert session.read("X") == session.read("Y") == encode(value)


def test_every_byte_survives_wherever_it_stands(talk: Conversation) -> None:
    """All that can be written, alone, doubled, at either end and between."""
    for code in sorted({*range(1, 256)} - {10, 13}):
        character = bytes([code]).decode("utf-8", "surrogateescape")
        shapes = (character, character * 2, f"a{character}b", f" {character} ")
        for shape in shapes:
            talk.execute(set_variable("X", shape))
            assert talk.read("X") == encode(shape)
        talk.execute(mset({f"V{place}": shape for place, shape in enumerate(shapes)}))
        assert [talk.read(f"V{place}") for place in range(4)] == list(map(encode, shapes))


def test_98_variables_survive_one_mset(talk: Conversation) -> None:
    """The most that one MSet is given; Asterisk would leave the escapes in the 99th."""
    variables = {f"V{place}": f"a,b({place}" for place in range(98)}
    talk.execute(mset(variables))
    for name, value in variables.items():
        assert talk.read(name) == encode(value)


def test_99_pairs_are_one_too_many(talk: Conversation) -> None:
    """The fact behind the limit: the last pair keeps its backslashes."""
    pairs = ",".join(f"V{place}=a\\,b" for place in range(99))
    talk.execute(execute("MSet", pairs))
    assert (talk.read("V97"), talk.read("V98")) == (b"a,b", b"a\\,b")


def test_a_function_is_set_by_its_quoted_name(talk: Conversation) -> None:
    """`SET VARIABLE "CALLERID(name)"`, and the same by MSet."""
    talk.execute(set_variable("CALLERID(name)", 'Ann "the, voice" Smith'))
    assert talk.read("CALLERID(name)") == b'Ann "the, voice" Smith'
    talk.execute(mset({"CALLERID(name)": "Zoë, (2)", "HASH(h,k)": "v,w"}))
    assert talk.read("CALLERID(name)") == "Zoë, (2)".encode()
    assert talk.read("HASH(h,k)") == b"v,w"


def test_get_variable_cuts_at_1023_bytes(talk: Conversation) -> None:
    """The reason to read values by GET FULL VARIABLE."""
    talk.execute(set_variable("X", "x" * 3000))
    assert talk.execute(get_variable("X")) == "x" * 1023
    assert talk.read("X") == b"x" * 3000


def test_a_line_of_8191_bytes_is_read_whole(talk: Conversation) -> None:
    """The longest that is ever sent to this version."""
    value = "x" * (8191 - len('SET VARIABLE "X" ""\n'))
    command = set_variable("X", value)
    assert len(command.line) == 8191
    talk.execute(command)
    assert talk.read("X") == value.encode()
