"""What must never reach the PBX: agi.md facts 10 to 12 and 1.3."""

import pytest

from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.agi.guards import (
    check_application,
    check_expression,
    check_variable_name,
    escape_application_argument,
    line_limit,
    quote,
)


@pytest.mark.parametrize(
    ("version", "limit"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", 8191),
        ("22.6.0", 8191),
        ("22.6.0-rc1", 8191),
        ("22.11.0-rc1", 8191),
        ("22.5.9", 2047),
        ("22.5.2", 2047),
        ("21.11.0", 8191),
        ("21.10.2", 2047),
        ("20.16.0", 8191),
        ("20.15.2", 2047),
        ("23.0.0", 8191),
        ("24.1.0", 8191),
        ("19.8.1", 2047),
        ("18.26.4", 2047),
        ("16.30.1", 2047),
        ("certified/20.7-cert6", 2047),
        ("certified-22.8-cert1", 8191),
        ("GIT-master-1a2b3c", 2047),
        ("GIT-22-1a2b3cM", 2047),
        ("SVN-trunk-r1", 2047),
        ("", 2047),
        ("22", 2047),
        ("9" * 6000 + ".1", 2047),
        ("22." + "9" * 6000, 8191),
    ],
)
def test_the_line_limit_is_that_of_the_version(version: str, limit: int) -> None:
    """8191 bytes from 22.6.0, 21.11.0 and 20.16.0; 2047 before and where nothing can be read."""
    assert line_limit(version) == limit


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("", '""'),
        ("a", '"a"'),
        ("a b", '"a b"'),
        ("a\tb", '"a\tb"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ('a b"c\\d', '"a b\\"c\\\\d"'),
        ("\\", '"\\\\"'),
        ('"', '"\\""'),
        ("it's", '"it\'s"'),
        ("${X},$[1]|;&()", '"${X},$[1]|;&()"'),
        ("é\udce9", '"é\udce9"'),
    ],
)
def test_an_argument_is_quoted_as_parse_args_reads_it(argument: str, written: str) -> None:
    """A quote toggles and a backslash takes the next byte as it is; nothing else is special."""
    assert quote(argument) == written


@pytest.mark.parametrize("argument", ["a\nb", "\n", "a\rb", "a\0b", "a\r\n"])
def test_what_cannot_be_written_is_refused(argument: str) -> None:
    """A newline would start another command, a NUL makes Asterisk spin; neither is replaced."""
    with pytest.raises(AgiGuardError, match="newline"):
        quote(argument)


@pytest.mark.parametrize(
    "name",
    [
        "X",
        "SGE_CALL_ID",
        "_X",
        "__X",
        "x9",
        "CALLERID(name)",
        "CHANNEL(linkedid)",
        "PJSIP_HEADER(read,X-Id)",
        "HASH(a,b)",
        "DB(family/key)",
    ],
)
def test_plain_names_and_functions_of_the_channel_pass(name: str) -> None:
    """Variables, with their inheritance marks, and functions that stay with the channel."""
    assert check_variable_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1X",
        "___X",
        "A B",
        "A=1",
        "A,B",
        "${X}",
        "A${X}",
        "CHANNEL(${X})",
        "CHANNEL(a\nb)",
        'CHANNEL("a")',
        "CHANNEL(a\\b)",
        "CHANNEL(a)b",
        "CHANNEL(a",
        "X\n",
        "é",
    ],
)
def test_names_that_are_more_than_a_name_are_refused(name: str) -> None:
    """Text of a caller in a variable's name would be an expression that Asterisk evaluates."""
    with pytest.raises(AgiGuardError):
        check_variable_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "SHELL(id)",
        "shell(id)",
        "FILE(/etc/passwd)",
        "ENV(PATH)",
        "STAT(e,/etc)",
        "SYSINFO(uptime)",
        "CURL(http://127.0.0.1/)",
        "ODBC_USERS(1)",
        "REALTIME(sippeers,name,1001)",
        "AST_CONFIG(manager.conf,admin,secret)",
        "EVAL(x)",
        "IMPORT(SIP/1,SHELL(id))",
        "DB_DELETE(a/b)",
        "CUT(SHELL(id),-,1)",
        "FIELDQTY(shell(id),-)",
    ],
)
def test_functions_that_reach_beyond_the_channel_are_refused(name: str) -> None:
    """`GET VARIABLE SHELL(id)` and `CUT(SHELL(id),-,1)` ran a program on the real Asterisk."""
    with pytest.raises(AgiGuardError, match="beyond the channel"):
        check_variable_name(name)


@pytest.mark.parametrize("expression", ["${X}", "${CHANNEL(linkedid)}", "$[1 + 1]", "text", ""])
def test_harmless_expressions_pass(expression: str) -> None:
    """GET FULL VARIABLE takes any expression of variables and of the channel's functions."""
    assert check_expression(expression) == expression


@pytest.mark.parametrize(
    "expression", ["${SHELL(id)}", "${BASE64_ENCODE(${FILE(/etc/shadow)})}", "${odbc_x(1)}"]
)
def test_dangerous_expressions_are_refused(expression: str) -> None:
    """A dangerous function is found at any depth of an expression."""
    with pytest.raises(AgiGuardError, match="beyond the channel"):
        check_expression(expression)


@pytest.mark.parametrize("name", ["Dial", "MSet", "NoOp", "Wait_1"])
def test_harmless_applications_pass(name: str) -> None:
    """Any other application is the route's own business."""
    assert check_application(name) == name


@pytest.mark.parametrize("name", ["System", "TrySystem", "ExternalIVR", "AGI", "EAGI", "DeadAGI"])
def test_applications_that_start_programs_are_refused(name: str) -> None:
    """EXEC System runs a program as the user of Asterisk."""
    with pytest.raises(AgiGuardError, match="program"):
        check_application(name)


@pytest.mark.parametrize("name", ["", "No Op", "NoOp(", "1", "NoOp\n", "é"])
def test_what_is_no_application_name_is_refused(name: str) -> None:
    """The name of an application is one word of letters, digits and underscores."""
    with pytest.raises(AgiGuardError, match="not the name of an application"):
        check_application(name)


@pytest.mark.parametrize("options", ["1?System(id)", "0?NoOp():trysystem(id)", "AGI(x.sh)"])
def test_applications_inside_options_are_refused(options: str) -> None:
    """ExecIf and its kin would start the program that EXEC itself may not."""
    with pytest.raises(AgiGuardError, match="program"):
        check_expression(options)


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("plain", "plain"),
        ("1, 2 (3)", "1\\, 2 \\(3\\)"),
        ('say "x"', 'say \\"x\\"'),
        ("a\\b", "a\\\\b"),
        ("[x]", "\\[x\\]"),
        ("${X}", "$\\{X\\}"),
        ("$[1+1]", "$\\[1+1\\]"),
        ("a|b;c&d=e", "a|b;c&d=e"),
        ("SHELL(id)", "SHELL\\(id\\)"),
        ("é\udce9", "é\udce9"),
    ],
)
def test_application_arguments_are_escaped(value: str, escaped: str) -> None:
    """The escapes that Asterisk removes; the brace and bracket of an expression are parted."""
    assert escape_application_argument(value) == escaped
