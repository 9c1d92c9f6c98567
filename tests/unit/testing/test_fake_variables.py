"""Variables, functions, options and the database of the fake Asterisk."""

import pytest

from fastagi_server.testing.asterisk.applications import execute, split_options
from fastagi_server.testing.asterisk.database import Database
from fastagi_server.testing.asterisk.environment import line_limit
from fastagi_server.testing.asterisk.functions import function_name, read, set_caller_id, write
from fastagi_server.testing.asterisk.text import decode, encode, leading_int, says_no, says_yes
from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx


@pytest.fixture
def asterisk() -> FakeAsterisk:
    """Make a channel with something in each field."""
    return FakeAsterisk(
        unique_id="17.4",
        linked_id="17.3",
        caller_number="1002",
        caller_name="Ann",
        dialled_number="4930",
        account_code="acc",
        variables={"V": "hello", "CHANNEL(rtp,all_mes)": "x=1"},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("V", "hello"),
        ("NOSUCH", None),
        ("", None),
        ("EXTEN", "1001"),
        ("CONTEXT", "sky-genesis-voip"),
        ("PRIORITY", "2"),
        ("UNIQUEID", "17.4"),
        ("CHANNEL", "PJSIP/1002-00000001"),
        ("HANGUPCAUSE", "0"),
        ("SYSTEMNAME", ""),
        ("DIALSTATUS", None),
        ("CHANNEL(linkedid)", "17.3"),
        ("CHANNEL(uniqueid)", "17.4"),
        ("CHANNEL(name)", "PJSIP/1002-00000001"),
        ("CHANNEL(state)", "Up"),
        ("CHANNEL(channeltype)", "PJSIP"),
        ("CHANNEL(language)", "en"),
        ("CHANNEL(accountcode)", "acc"),
        ("CHANNEL(context)", "sky-genesis-voip"),
        ("CHANNEL(exten)", "1001"),
        ("CHANNEL(nosuch)", None),
        ("CHANNEL(rtp,all_mes)", "x=1"),
        ("CALLERID(num)", "1002"),
        ("CALLERID(number)", "1002"),
        ("CALLERID(NAME)", "Ann"),
        ("CALLERID(all)", '"Ann" <1002>'),
        ("CALLERID(dnid)", "4930"),
        ("CALLERID()", None),
        ("CALLERID", None),
        ("V:1", None),
        ("${V}", None),
        ("NOFUNC(x)", None),
        ("LEN(é)", "2"),
        ("TOUPPER(ab)", "AB"),
        ("TOLOWER(AB)", "ab"),
        ("SHA1(abc)", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("MD5(a)", "0cc175b9c0f1b6a831c399e269772661"),
        ("BASE64_ENCODE(hello)", "aGVsbG8="),
        ("BASE64_DECODE(YWI=)", "ab"),
        ("BASE64_DECODE(Y)", ""),
        ("URIENCODE(a b&c=d/é-_.~!*())", "a%20b%26c%3Dd%2F%C3%A9-_.~!*()"),
        ("URIDECODE(a%20b)", "a b"),
        ("DB(a/b)", None),
    ],
)
def test_read(asterisk: FakeAsterisk, name: str, value: str | None) -> None:
    """GET VARIABLE reads variables, what every channel has, and functions, but no expressions."""
    assert read(asterisk.channel, name) == value


def test_epoch_is_a_number(asterisk: FakeAsterisk) -> None:
    """EPOCH is the time in seconds."""
    assert (read(asterisk.channel, "EPOCH") or "").isdigit()


def test_given_variable_wins_over_what_a_channel_has() -> None:
    """A test may say what DIALSTATUS or HANGUPCAUSE is."""
    asterisk = FakeAsterisk(variables={"HANGUPCAUSE": "17"})
    assert read(asterisk.channel, "HANGUPCAUSE") == "17"


@pytest.mark.parametrize(
    ("name", "stored"), [("J", "J"), ("_J", "J"), ("__J", "J"), ("A B", "A B"), ("a", "a")]
)
def test_write_variable(asterisk: FakeAsterisk, name: str, stored: str) -> None:
    """Inheritance marks are no part of the name, which is case-sensitive and may hold blanks."""
    write(asterisk.channel, name, "7")
    assert read(asterisk.channel, stored) == "7"
    assert asterisk.variables == {stored: "7"}


@pytest.mark.parametrize(
    ("name", "value", "after"),
    [
        ("CALLERID(name)", "Zed", '"Zed" <1002>'),
        ("CALLERID(num)", "7", '"Ann" <7>'),
        ("CALLERID(all)", '"Al B" <77>', '"Al B" <77>'),
        ("NOFUNC(x)", "1", '"Ann" <1002>'),
        ("CHANNEL(language)", "fr", '"Ann" <1002>'),
    ],
)
def test_write_function(asterisk: FakeAsterisk, name: str, value: str, after: str) -> None:
    """Functions that can be written change the channel; others are ignored without a word."""
    write(asterisk.channel, name, value)
    assert read(asterisk.channel, "CALLERID(all)") == after
    assert asterisk.variables == {name: value}


def test_write_language(asterisk: FakeAsterisk) -> None:
    """The channel's language can be set."""
    write(asterisk.channel, "CHANNEL(language)", "fr")
    assert read(asterisk.channel, "CHANNEL(language)") == "fr"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('"Bob" <123>', '"Bob" <123>'),
        ("Bob <123>", '"Bob" <123>'),
        ("55", '"" <55>'),
        ("", '"" <>'),
    ],
)
def test_set_caller_id(asterisk: FakeAsterisk, text: str, result: str) -> None:
    """A caller id is a name and a number in brackets, or a bare number."""
    set_caller_id(asterisk.channel, text)
    assert read(asterisk.channel, "CALLERID(all)") == result


@pytest.mark.parametrize(
    ("name", "function"), [("SHELL(id)", "SHELL"), ("V", ""), ("len(a)", "LEN")]
)
def test_function_name(name: str, function: str) -> None:
    """The function of a name is told in capitals."""
    assert function_name(name) == function


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("", [""]),
        ("A=1,B=2", ["A=1", "B=2"]),
        ('A="q",B= lead ,C=\\"x', ["A=q", "B= lead ", 'C="x']),
        ("A=a\\\\b,B=(x,y),C=[z,w],D", ["A=a\\b", "B=(x,y)", "C=[z,w]", "D"]),
        ("A=x\\,y", ["A=x,y"]),
        ('A="x,y",B=1', ["A=x,y", "B=1"]),
        ("A=(x,B=y),C=1", ["A=(x,B=y)", "C=1"]),
        ("A=(x\\),B=y", ["A=(x),B=y"]),
        ("A=x),B=y", ["A=x)", "B=y"]),
    ],
)
def test_split_options(options: str, parts: list[str]) -> None:
    """Quotes, brackets and backslashes protect commas; quotes and backslashes go away."""
    assert split_options(options) == parts


def test_split_options_stops_at_99() -> None:
    """The 99th part of the options takes all the rest."""
    parts = split_options(",".join(f"P{i}={i}" for i in range(1, 102)))
    assert len(parts) == 99
    assert parts[-1] == "P99=99,P100=100,P101=101"


@pytest.mark.parametrize(
    ("application", "options", "result", "variables"),
    [
        ("MSet", "A=1,B=x\\,y,C=a=b,D", 0, {"A": "1", "B": "x,y", "C": "a=b"}),
        ("mset", "CALLERID(name)=Zed,__I=5", 0, {"CALLERID(name)": "Zed", "I": "5"}),
        ("MSet", " A = 1 ", 0, {" A ": " 1 "}),
        ("Set", "A=1,B=2", 0, {"A": "1,B=2"}),
        ("Set", 'S="q" \\\\ \\,x', 0, {"S": '"q" \\\\ \\,x'}),
        ("Set", "E=", 0, {"E": ""}),
        ("Set", "NOEQ", 0, {}),
        ("NoOp", "x", 0, {}),
        ("Verbose", "1,x", 0, {}),
        ("Log", "NOTICE,x", 0, {}),
        ("Wait", "", 0, {}),
        ("Wait", "x", 0, {}),
        ("Playback", "", -1, {}),
        ("Goto", "nolabel", -1, {}),
        ("NoSuch", "", -2, {}),
    ],
)
async def test_applications(
    asterisk: FakeAsterisk, application: str, options: str, result: int, variables: dict[str, str]
) -> None:
    """EXEC runs an application by its name in any case and gives its return value."""
    assert await execute(asterisk.channel, application, options) == result
    assert asterisk.variables == variables


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("9", ("sky-genesis-voip", "1001", 9)),
        ("fallback", ("sky-genesis-voip", "1001", 30)),
        ("77,9", ("sky-genesis-voip", "77", 9)),
        ("other,77,9", ("other", "77", 9)),
    ],
)
async def test_goto(options: str, place: tuple[str, str, int]) -> None:
    """Goto says where the dialplan goes on; AGI() itself stands one priority before."""
    asterisk = FakeAsterisk(pbx=Pbx(labels={"fallback": 30}))
    assert await execute(asterisk.channel, "Goto", options) == 0
    assert asterisk.goes_on_at == place


def test_database_trees() -> None:
    """A tree is deleted with the keys below it, and a family is not a prefix of another's name."""
    database = Database()
    database.put("fam", "key", "1")
    database.put("fam/key2", "key", "2")
    database.put("family", "key", "3")
    assert database.delete_tree("fam", "key")
    assert database.get("fam", "key") is None
    assert not database.delete_tree("fam", "key")
    assert database.get("fam/key2", "key") == "2"
    assert database.delete_tree("fam")
    assert database.values == {"/family/key": "3"}
    assert database.delete_tree("")
    assert not database.values


def test_database_read_by_function() -> None:
    """DB() reads what DATABASE PUT has stored."""
    asterisk = FakeAsterisk()
    asterisk.channel.pbx.database.put("a", "b/c", "v")
    assert read(asterisk.channel, "DB(a/b/c)") == "v"


@pytest.mark.parametrize(
    ("version", "limit"),
    [
        ("22.10.1+dfsg+~cs6.17", 8191),
        ("22.11.0-rc1", 8191),
        ("22.6.0", 8191),
        ("22.5.9", 2047),
        ("20.16.0", 8191),
        ("20.15.2", 2047),
        ("21.11.0", 8191),
        ("21.10.2", 2047),
        ("23.0.0", 8191),
        ("18.26.4", 2047),
        ("16.2.1~dfsg", 2047),
        ("certified-22.8-cert1", 8191),
        ("certified-20.7-cert5", 2047),
        ("GIT-master-abc", 2047),
    ],
)
def test_line_limit(version: str, limit: int) -> None:
    """The longest line depends on the version; an unreadable one is taken for an old one."""
    assert line_limit(version) == limit


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("12abc", 12),
        (" 5", 5),
        ("-1", -1),
        ("+3x", 3),
        ("x", None),
        ("", None),
        ("-", None),
    ],
)
def test_leading_int(text: str, number: int | None) -> None:
    """A number is read as far as it goes."""
    assert leading_int(text) == number


def test_any_bytes_survive_as_text() -> None:
    """Every byte comes back as it was."""
    assert encode(decode(bytes(range(256)))) == bytes(range(256))


@pytest.mark.parametrize(
    ("word", "yes", "no"), [("Yes", True, False), ("off", False, True), ("", False, False)]
)
def test_switches(word: str, *, yes: bool, no: bool) -> None:
    """Asterisk's words for on and off, in any case; others are neither."""
    assert says_yes(word) is yes
    assert says_no(word) is no
