"""The pass_persist protocol: one line in, its answer out."""

import pytest

from fastagi_server.snmp.objects import Values
from fastagi_server.snmp.passing import PassPersist

BASE = ".1.3.6.1.4.1.8072.1.3.2.3.2"
CALLS: Values = {"sge_voip_calls_active": [(("connected",), 5.0)], "sge_voip_mos": [((), 4.4)]}


def talk(*lines: str, values: Values | None = CALLS) -> list[str | None]:
    """The answers to these lines."""
    conversation = PassPersist(lambda: values)
    return [conversation.receive(f"{line}\n") for line in lines]


def test_ping() -> None:
    """Snmpd asks whether we live."""
    assert talk("PING") == ["PONG\n"]


def test_get() -> None:
    """A value comes with its OID and its type, once the OID is there."""
    assert talk("get", f"{BASE}.1.1.1") == ["", f"{BASE}.1.1.1\ngauge\n5\n"]
    assert talk("get", f"{BASE}.1.9.1")[1] == f"{BASE}.1.9.1\nstring\n4.40\n"
    assert talk("get", f"{BASE}.1.14.1")[1] == f"{BASE}.1.14.1\ncounter64\n0\n"


@pytest.mark.parametrize(
    "oid",
    [
        BASE,
        f"{BASE}.1.1",
        f"{BASE}.1.1.0",
        f"{BASE}.1.1.2",
        f"{BASE}.1.5.1",
        f"{BASE}.1.2.1",
        "",
        ".",
        "..1",
        "one.two",
        ".1.3.-6",
        ".1.٣.6",
        ".1" * 200,
    ],
)
def test_get_what_is_not_there(oid: str) -> None:
    """What has no instance, is not known or is no OID is NONE."""
    assert talk("get", oid)[1] == "NONE\n"


@pytest.mark.parametrize(
    ("after", "next_one"),
    [
        (".1.3.6", ".1.1.1"),
        (BASE, ".1.1.1"),
        (f"{BASE}.1.1", ".1.1.1"),
        (f"{BASE}.1.1.1", ".1.9.1"),
        (f"{BASE}.1.2.1", ".1.9.1"),
        (f"{BASE}.1.9.1", ".1.13.1"),
        (f"{BASE}.1.9.99999999999999999999", ".1.13.1"),
    ],
)
def test_get_next(after: str, next_one: str) -> None:
    """The next object that has a value comes, in the order of numbers and not of letters."""
    answer = talk("getnext", after)[1]
    assert answer is not None
    assert answer.splitlines()[0] == BASE + next_one


def test_walk_ends() -> None:
    """From the base, each answer leads to the next, until NONE."""
    conversation = PassPersist(lambda: CALLS)
    oid, seen = BASE, list[str]()
    while True:
        conversation.receive("getnext\n")
        answer = conversation.receive(f"{oid}\n")
        assert answer is not None
        if answer == "NONE\n":
            break
        oid = answer.splitlines()[0]
        seen.append(oid.removeprefix(f"{BASE}.1."))
    assert seen[:3] == ["1.1", "9.1", "13.1"]
    assert seen[-1] == "29.1"


def test_after_the_last() -> None:
    """Behind everything there is nothing."""
    assert talk("getnext", f"{BASE}.2")[1] == "NONE\n"


def test_set_is_refused() -> None:
    """Nothing can be set, and the value that comes with it is no command."""
    assert talk("set", f"{BASE}.1.1.1", "integer get", "PING") == [
        "",
        "",
        "not-writable\n",
        "PONG\n",
    ]


def test_service_that_is_away() -> None:
    """The only object of a service that does not answer says that it does not."""
    assert talk("get", f"{BASE}.1.1.1", values=None)[1] == "NONE\n"
    assert talk("get", f"{BASE}.1.22.1", values=None)[1] == f"{BASE}.1.22.1\ngauge\n0\n"
    assert talk("getnext", BASE, values=None)[1] == f"{BASE}.1.22.1\ngauge\n0\n"


def test_end() -> None:
    """An empty line is the end."""
    assert talk("PING", "") == ["PONG\n", None]


def test_unknown_command() -> None:
    """A word that nobody knows has an answer too, or snmpd would wait."""
    assert talk("getbulk") == ["NONE\n"]
