"""dialplan/manager.conf: its user hears what is read, and nothing else."""

import re
from pathlib import Path

from fastagi_server.ami.connection import CLASSES
from fastagi_server.ami.decoding import DECODERS

MANAGER = (Path(__file__).resolve().parents[2] / "dialplan" / "manager.conf").read_text()


def _value(name: str) -> str:
    found = re.search(rf"^{name} = (.*)$", MANAGER, flags=re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_filters_are_the_events_that_are_decoded() -> None:
    """One that is missing would never be heard."""
    names = re.findall(r"^eventfilter\(action\(include\),name\((\w+)\)\) =$", MANAGER, re.MULTILINE)
    assert sorted(names) == sorted(name.decode() for name in DECODERS)
    assert len(names) == 32


def test_the_user_may_hear_the_classes_that_are_asked_for() -> None:
    """And no class that reports every step of a call."""
    assert _value("read") == CLASSES == "system,call,security,user"
    assert _value("write") == "system,reporting"


def test_events_have_times_and_a_slow_reader_has_some() -> None:
    """Both are off or too short unless set."""
    assert _value("timestampevents") == "yes"
    assert _value("writetimeout") == "5000"
