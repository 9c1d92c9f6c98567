"""Writes the MIB file out of the table of measures: `python -m fastagi_server.snmp.mib`.

The documented OIDs are what managers ask for, and they are laid out as no MIB would be: instances
end in `.1` and the traps lie at `.2.1` beside the objects. So the objects are the columns of a
table whose one row has the index 1, which gives exactly these OIDs, and the module's own name and
groups are at an arc beside it, `.3`. All of it is below Net-SNMP's arc for `extend` output.
"""

import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from fastagi_server.snmp.objects import BASE, INDEX_ARC, LINK_NAME_ARC, OBJECTS, Object
from fastagi_server.snmp.traps import NOTIFICATIONS, Notification
from fastagi_server.telemetry.kinds import Syntax

REVISION = "202611230000Z"

_SYNTAXES: dict[Syntax, str] = {
    "gauge": "Gauge32",
    "counter64": "Counter64",
    "text": "DisplayString (SIZE (1..16))",
}

_HEAD = """SGE-VOIP-MIB DEFINITIONS ::= BEGIN

IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE, Gauge32, Counter64, Integer32, enterprises
        FROM SNMPv2-SMI
    DisplayString
        FROM SNMPv2-TC
    MODULE-COMPLIANCE, OBJECT-GROUP, NOTIFICATION-GROUP
        FROM SNMPv2-CONF;

sgeVoipMIB MODULE-IDENTITY
    LAST-UPDATED "{revision}"
    ORGANIZATION "Sky Genesis Enterprise"
    CONTACT-INFO "The operator of the service"
    DESCRIPTION
        "Calls, rooms and the state of the FastAGI call server, as its snmpd gives them."
    REVISION     "{revision}"
    DESCRIPTION
        "The first one."
    ::= {{ sgeVoip 3 }}

-- Net-SNMP's arc: snmpd's pass_persist serves the part below it that is ours.
sgeVoip OBJECT IDENTIFIER ::= {{ enterprises {arcs} }}

voipTable OBJECT-TYPE
    SYNTAX      SEQUENCE OF VoipEntry
    MAX-ACCESS  not-accessible
    STATUS      current
    DESCRIPTION
        "The services that this agent speaks for: one."
    ::= {{ sgeVoip {last} }}

voipEntry OBJECT-TYPE
    SYNTAX      VoipEntry
    MAX-ACCESS  not-accessible
    STATUS      current
    DESCRIPTION
        "The figures of one service. A value that is not known has no instance."
    INDEX       {{ voipIndex }}
    ::= {{ voipTable 1 }}
"""

_GROUPS = """
voipNotifications OBJECT IDENTIFIER ::= {{ voipTable 2 1 }}
{notifications}
voipCompliance MODULE-COMPLIANCE
    STATUS      current
    DESCRIPTION
        "What the service implements: all of it."
    MODULE
        MANDATORY-GROUPS {{ voipObjectGroup, voipNotificationGroup }}
    ::= {{ sgeVoipMIB 1 }}

voipObjectGroup OBJECT-GROUP
    OBJECTS {{
        {object_names}
    }}
    STATUS      current
    DESCRIPTION
        "All objects."
    ::= {{ sgeVoipMIB 2 }}

voipNotificationGroup NOTIFICATION-GROUP
    NOTIFICATIONS {{
        {notification_names}
    }}
    STATUS      current
    DESCRIPTION
        "All notifications."
    ::= {{ sgeVoipMIB 3 }}

END
"""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table."""

    arc: int
    name: str
    syntax: str
    access: str
    meaning: str

    @property
    def text(self) -> str:
        return f"""
{self.name} OBJECT-TYPE
    SYNTAX      {self.syntax}
    MAX-ACCESS  {self.access}
    STATUS      current
    DESCRIPTION
        "{_wrapped(self.meaning)}"
    ::= {{ voipEntry {self.arc} }}
"""


_LINK_NAME = _Column(
    LINK_NAME_ARC,
    "voipLinkName",
    "DisplayString (SIZE (0..255))",
    "accessible-for-notify",
    "The link that a notification is about.",
)
_INDEX = _Column(INDEX_ARC, "voipIndex", "Integer32 (1..1)", "not-accessible", "The service.")


def mib() -> str:
    """The MIB file."""
    columns = sorted([*map(_column, OBJECTS), _LINK_NAME, _INDEX], key=lambda each: each.arc)
    sequence = (f"    {each.name:<26} {each.syntax.partition(' ')[0]}" for each in columns)
    head = _HEAD.format(revision=REVISION, arcs=" ".join(map(str, BASE[6:-1])), last=BASE[-1])
    groups = _GROUPS.format(
        notifications="".join(map(_notification, NOTIFICATIONS)),
        object_names=_listed(each.name for each in columns if each is not _INDEX),
        notification_names=_listed(each.name for each in NOTIFICATIONS),
    )
    return "".join(
        (
            head,
            "\nVoipEntry ::= SEQUENCE {\n" + ",\n".join(sequence) + "\n}\n",
            *(each.text for each in columns),
            groups,
        )
    )


def _column(each: Object) -> _Column:
    meaning = f"{each.meaning}."
    if each.syntax == "text":
        meaning += " A decimal number with two places."
    return _Column(each.arc, each.name, _SYNTAXES[each.syntax], "read-only", meaning)


def _notification(each: Notification) -> str:
    return f"""
{each.name} NOTIFICATION-TYPE
    OBJECTS     {{ {each.object_name} }}
    STATUS      current
    DESCRIPTION
        "{_wrapped(each.meaning)}"
    ::= {{ voipNotifications {each.arc} }}
"""


def _wrapped(text: str) -> str:
    return "\n         ".join(textwrap.wrap(text, 84))


def _listed(names: Iterable[str]) -> str:
    return ",\n        ".join(names)


if __name__ == "__main__":
    sys.stdout.write(mib())
