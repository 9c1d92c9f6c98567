"""The files of dialplan/ as text: what can be held to a rule without an Asterisk."""

import re
from pathlib import Path
from urllib.parse import parse_qsl

DIALPLAN = Path(__file__).resolve().parents[2] / "dialplan"


def active_lines(name: str) -> list[str]:
    """Return the lines of a file that are neither empty nor a comment."""
    lines = (DIALPLAN / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(";")]


def test_everything_binds_to_loopback() -> None:
    """No sample opens a port to the network."""
    bound = {
        line
        for file in DIALPLAN.glob("*.conf")
        for line in active_lines(file.name)
        if re.match(r"(tls)?bind(addr)? *=", line)
    }
    assert bound == {"bind = 127.0.0.1:5060", "bind = 127.0.0.1", "bindaddr = 127.0.0.1"}


def test_every_secret_is_an_obvious_placeholder() -> None:
    """No sample ships a password that somebody might keep."""
    secrets = [
        line.partition("=")[2].strip()
        for file in sorted(DIALPLAN.glob("*.conf"))
        for line in active_lines(file.name)
        if re.match(r"(password|secret|match_header) *=", line)
    ]
    assert secrets == [
        "change-me-ari",
        "change-me-ami",
        "change-me-1001",
        "change-me-1002",
        "change-me-1003",
        "X-SGE-Gateway: change-me-gateway",
    ]


def test_ari_has_no_listener() -> None:
    """ari.conf holds only options of ARI itself: one more turns ARI off."""
    names = [line.partition("=")[0].strip() for line in active_lines("ari.conf") if "=" in line]
    assert names == [
        "enabled",
        "websocket_write_timeout",
        "channelvars",
        "type",
        "read_only",
        "password",
    ]


def test_routes_and_parameters() -> None:
    """The dialplan asks three routes; every value from a call is encoded."""
    text = (DIALPLAN / "extensions.conf").read_text()
    urls = re.findall(r"\$\{SGE_AGI\}/(\w+)\?(\S*)", text)
    names = {route: [name for name, _ in parse_qsl(query)] for route, query in urls}
    assert names == {
        "register": ["participant", "type", "dialled", "context", "linkedid", "system"],
        "accept": ["call", "uniqueid", "system"],
        "end": ["dialled", "system"],
    }
    for _, query in urls:
        assert all(value.startswith("${URIENCODE(") for _, value in parse_qsl(query))


def test_no_context_is_defined_twice() -> None:
    """Asterisk merges contexts of one name and the first line wins: each has one place."""
    contexts = [line for line in active_lines("extensions.conf") if line.startswith("[")]
    assert contexts == [
        "[general]",
        "[globals]",
        "[sky-genesis-voip]",
        "[sky-genesis-browser]",
        "[from-trunk]",
        "[sge-not-answered]",
        "[sge-register]",
        "[sge-hand-over]",
        "[sge-take-back]",
        "[sge-answered]",
        "[sge-ended]",
    ]


def test_every_dial_is_filtered() -> None:
    """What Dial is given is made of digits, in each of its places."""
    lines = active_lines("extensions.conf")
    dialled = [line.partition("Dial(PJSIP/")[2].partition(",${SGE_RING")[0] for line in lines]
    assert [number for number in dialled if number] == [
        "${FILTER(0-9,${EXTEN})}",
        "${FILTER(0-9,${EXTEN})}@${SGE_TRUNK}",
        "${SGE_USER}",
    ]
    assert "Set(SGE_USER=${FILTER(0-9,${EXTEN:-4})})" in "\n".join(lines)


def test_the_readme_answers_every_mistake() -> None:
    """The table of corrections has a row for each of the 21 mistakes, in order."""
    readme = (DIALPLAN / "README.md").read_text()
    corrections = readme.partition("## Mistakes")[2]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", corrections, re.MULTILINE)] == (
        list(range(1, 22))
    )


def test_the_readme_shows_what_the_dialplan_says() -> None:
    """The lines to copy are the same in both places."""
    snippet = (DIALPLAN / "README.md").read_text().partition("```\n")[2].partition("```")[0]
    comment = "".join(f";    {line}\n" for line in snippet.splitlines())
    assert comment in (DIALPLAN / "extensions.conf").read_text()


def test_an_endpoint_without_a_password_is_known_by_something_else() -> None:
    """The name in From admits nobody who need not show a password."""
    sections = re.split(r"^\[", (DIALPLAN / "pjsip.conf").read_text(), flags=re.MULTILINE)
    endpoints = [text for text in sections if "\ntype = endpoint\n" in text and "](" not in text]
    assert {text.partition("]")[0]: "\nidentify_by = " in text for text in endpoints} == {
        "sge-gateway": True,
        "sky-genesis-trunk": True,
    }
