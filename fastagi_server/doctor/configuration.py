"""The settings themselves, and what `fastagi-server check` says of them."""

from fastagi_server.checking import find_doubts, find_faults
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.findings import Findings, fail, ok, warn
from fastagi_server.settings import config_file

FIX = "fastagi-server check"
LISTENING = frozenset({"agi", "http"})
"""A service that runs has its addresses; `network` looks who has them."""


async def look(case: Case) -> Findings:
    """Faults that would stop the service from starting, and doubts."""
    faults = find_faults(case.settings, bound=LISTENING)
    doubts = find_doubts(case.settings)
    for fault in faults:
        subject, _, why = fault.partition(": ")
        yield fail(subject, why, FIX)
    for doubt in doubts:
        yield warn("settings", doubt, FIX)
    if not faults and not doubts:
        yield ok("settings", f"nothing is wrong with them; file: {config_file() or 'none'}")
