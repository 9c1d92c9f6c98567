"""Clocks: tokens, logs and call times are compared between machines."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from fastagi_server.ami.errors import AmiError
from fastagi_server.ari.errors import AriAddressError
from fastagi_server.doctor import api, ari
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import SettingsError
from fastagi_server.sge.errors import SgeError

WARN_SECONDS = 3.0
"""HTTP dates are in whole seconds, and a slow answer makes them older."""

FAIL_SECONDS = 60.0
FIX = "timedatectl; chronyc tracking (on both machines)"


async def look(case: Case) -> Findings:
    """Asterisk's clock and that of the SGE API against ours."""
    settings = case.settings
    looked = False
    if settings.asterisk_ami_host or settings.asterisk_ari_url:
        looked = True
        yield await _asterisk(case)
    if not settings.embedded:
        looked = True
        yield await _sge_api(case)
    if not looked:
        yield ok("clocks", "no other machine's clock matters")


async def _asterisk(case: Case) -> Finding:
    try:
        if case.settings.asterisk_ami_host:
            answer = await (await case.manager()).action("Ping")
            theirs = datetime.fromtimestamp(float(answer["Timestamp"]), UTC)
        else:
            theirs = datetime.strptime(await ari.ping(case.settings), "%Y-%m-%dT%H:%M:%S.%f%z")
    except (
        AmiError,
        AriAddressError,
        SettingsError,
        httpx.HTTPError,
        OSError,
        KeyError,
        ValueError,
    ) as error:
        return warn("Asterisk", f"its clock cannot be seen: {error}", FIX)
    return compared("Asterisk", theirs, datetime.now(UTC))


async def _sge_api(case: Case) -> Finding:
    try:
        answer, seconds = await api.ask(case.settings)
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (SgeError, httpx.HTTPError, OSError, KeyError, ValueError) as error:
        words = "its answers have no Date" if isinstance(error, KeyError) else str(error)
        return warn("SGE API", f"its clock cannot be seen: {words or type(error).__name__}", FIX)
    return compared("SGE API", theirs, datetime.now(UTC), slack=seconds)


def compared(subject: str, theirs: datetime, ours: datetime, *, slack: float = 0.0) -> Finding:
    """What a difference between two clocks means; `slack` are seconds that it may have."""
    seconds = (theirs - ours).total_seconds()
    beyond = max(abs(seconds) - slack, 0.0)
    words = f"its clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
    if beyond > FAIL_SECONDS:
        return fail(subject, f"{words}: tokens are refused, and times are wrong", FIX)
    if beyond > WARN_SECONDS:
        return warn(subject, words, FIX)
    return ok(subject, f"its clock is ours, to within {WARN_SECONDS:g} s")
