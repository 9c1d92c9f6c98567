"""The commands for SNMP, as snmpd and an operator run them."""

import time

import pytest
from click.testing import CliRunner

from fastagi_server.cli import main
from fastagi_server.snmp import sending, source, traps
from fastagi_server.snmp.objects import Values
from fastagi_server.snmp.sending import SendError
from fastagi_server.snmp.source import SourceError
from fastagi_server.snmp.traps import Trap

OID = ".1.3.6.1.4.1.8072.1.3.2.3.2.1.1.1"


class EnoughError(Exception):
    """Raised to end what goes on for ever."""


def test_snmp_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What snmpd asks is answered from the service's figures, up to the empty line."""

    def fetch(url: str) -> Values:
        assert url == "http://127.0.0.1:8080/api/v1/metrics/prometheus"
        return {"sge_voip_calls_active": [(("connected",), 3.0)]}

    monkeypatch.setattr(source, "fetch_from", fetch)
    done = CliRunner().invoke(main, ["snmp"], input=f"PING\nget\n{OID}\n\nPING\n")
    assert done.exit_code == 0
    assert done.output == f"PONG\n{OID}\ngauge\n3\n"


def test_snmp_ends_with_snmpd() -> None:
    """The end of the input is the end."""
    done = CliRunner().invoke(main, ["snmp"], input="PING\n")
    assert (done.exit_code, done.output) == (0, "PONG\n")


def watch(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, failure: SendError | None = None
) -> tuple[list[tuple[str, tuple[str, ...]]], str]:
    """What is sent, and printed, when a service that was there is away for two looks."""
    seen: list[Values | None] = [{}, None, None]
    sent: list[tuple[str, tuple[str, ...]]] = []

    def fetch(_url: str) -> Values:
        values = seen.pop(0)
        if values is None:
            raise SourceError("away")
        return values

    def send(trap: Trap, destinations: tuple[str, ...]) -> None:
        sent.append((trap.notification.name, destinations))
        if failure is not None:
            raise failure

    def sleep(seconds: float) -> None:
        assert seconds == 10
        if not seen:
            raise EnoughError

    monkeypatch.setattr(source, "fetch_from", fetch)
    monkeypatch.setattr(sending, "send", send)
    monkeypatch.setattr(sending, "require_program", lambda: "snmptrap")
    monkeypatch.setattr(time, "sleep", sleep)
    done = CliRunner().invoke(main, ["traps", *arguments])
    assert isinstance(done.exception, EnoughError)
    first, _, rest = done.output.partition("\n")
    assert first == "watching http://127.0.0.1:8080/api/v1/metrics/prometheus"
    return sent, rest


def test_traps_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stays away is told to every destination, and on the terminal."""
    sent, printed = watch(monkeypatch, "192.0.2.7:162", "192.0.2.8:162")
    assert sent == [("voipServiceDown", ("192.0.2.7:162", "192.0.2.8:162"))]
    assert printed == "voipServiceDown 0\n"


def test_traps_too_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said how many were dropped."""
    monkeypatch.setattr(traps, "MAX_TRAPS", 0)
    sent, printed = watch(monkeypatch, "192.0.2.7:162")
    assert sent == []
    assert printed == "1 traps too many at once were dropped\n"


def test_trap_that_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and the watch goes on."""
    _, printed = watch(monkeypatch, "a", failure=SendError("a: no route"))
    assert printed == "voipServiceDown was not sent: a: no route\n"


def test_traps_need_snmptrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program that sends them the command ends at once, in words."""

    def missing() -> str:
        raise SendError("there is no snmptrap: install the package snmp")

    monkeypatch.setattr(sending, "require_program", missing)
    done = CliRunner().invoke(main, ["traps", "192.0.2.7:162"])
    assert done.exit_code == 1
    assert done.output == "Error: there is no snmptrap: install the package snmp\n"


def test_traps_need_a_destination() -> None:
    """A watch that tells nobody is a mistake."""
    assert CliRunner().invoke(main, ["traps"]).exit_code == 2
