"""Net-SNMP's pass_persist protocol, without I/O: lines in, lines out (man 5 snmpd.conf).

    PING              PONG
    get, OID          OID, type, value      or NONE
    getnext, OID      the same of the next object that has a value, or NONE
    set, OID, value   not-writable
    an empty line     the end

snmpd waits for each answer without a deadline, so an answer must never wait for anybody either.
"""

from collections.abc import Callable

from fastagi_server.snmp.objects import (
    OBJECTS,
    SERVICE_UP_ARC,
    Object,
    Oid,
    Values,
    dotted,
    instance,
)
from fastagi_server.telemetry.kinds import Syntax

NONE = "NONE\n"
NOT_WRITABLE = "not-writable\n"

MAX_ARCS = 128
"""SNMP's own limit for an OID."""

_TYPES: dict[Syntax, str] = {"gauge": "gauge", "counter64": "counter64", "text": "string"}
_OPERANDS = {"get": 1, "getnext": 1, "set": 2}


class PassPersist:
    """One conversation; `values` gives the present figures, None while the service is away."""

    def __init__(self, values: Callable[[], Values | None]) -> None:
        self._values = values
        self._command = ""
        self._operands: list[str] = []

    def receive(self, line: str) -> str | None:
        """The answer to a line, empty while more lines belong to it; None for the end."""
        text = line.strip()
        if self._command:
            return self._take(text)
        if not text:
            return None
        if text == "PING":
            return "PONG\n"
        if text in _OPERANDS:
            self._command = text
            return ""
        return NONE

    def _take(self, operand: str) -> str:
        self._operands.append(operand)
        if len(self._operands) < _OPERANDS[self._command]:
            return ""
        command, oid = self._command, _parse(self._operands[0])
        self._command, self._operands = "", []
        if command == "set":
            return NOT_WRITABLE
        if oid is None:
            return NONE
        return self._get(oid) if command == "get" else self._get_next(oid)

    def _get(self, oid: Oid) -> str:
        values = self._values()
        found = next((each for each in OBJECTS if each.oid == oid), None)
        return NONE if found is None else _answer(found, values) or NONE

    def _get_next(self, oid: Oid) -> str:
        values = self._values()
        answers = (_answer(each, values) for each in OBJECTS if each.oid > oid)
        return next((answer for answer in answers if answer), NONE)


def _answer(each: Object, values: Values | None) -> str:
    """What is answered for an object; empty while its value is not known."""
    if values is None:
        text = "0" if each.oid == instance(SERVICE_UP_ARC) else None
    else:
        text = each.text(values)
    return "" if text is None else f"{dotted(each.oid)}\n{_TYPES[each.syntax]}\n{text}\n"


def _parse(text: str) -> Oid | None:
    arcs = text.removeprefix(".").split(".")
    if len(arcs) > MAX_ARCS or not all(each.isascii() and each.isdigit() for each in arcs):
        return None
    return tuple(int(each[:10]) for each in arcs)
