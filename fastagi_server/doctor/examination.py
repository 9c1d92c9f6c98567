"""All groups of looks, at the same time, none of them for longer than eight seconds."""

import asyncio
from collections.abc import Callable, Sequence

from fastagi_server.doctor import (
    api,
    ari,
    certificates,
    clocks,
    configuration,
    dialplan,
    host,
    manager,
    media,
    network,
    records,
    snmp,
)
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.findings import Finding, Findings, Report, fail, rewritten
from fastagi_server.doctor.threads import AbandonedThreads
from fastagi_server.settings import SettingsError

GROUP_SECONDS = 8.0
MASK = "********"
SHORTEST_SECRET = 4
"""Shorter ones are in too many words to be masked."""

Look = Callable[[Case], Findings]

GROUPS: dict[str, Look] = {
    "configuration": configuration.look,
    "network": network.look,
    "sge": api.look,
    "store": records.look,
    "ari": ari.look,
    "ami": manager.look,
    "dialplan": dialplan.look,
    "media": media.look,
    "certificates": certificates.look,
    "clocks": clocks.look,
    "snmp": snmp.look,
    "host": host.look,
}
"""In the order of the report."""


def examine(
    case: Case, names: Sequence[str] = tuple(GROUPS), *, seconds: float = GROUP_SECONDS
) -> list[Report]:
    """What these groups find, without any secret; a group without findings is left out."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AbandonedThreads())
        return runner.run(reports_of(case, names, seconds=seconds))


async def reports_of(
    case: Case, names: Sequence[str] = tuple(GROUPS), *, seconds: float = GROUP_SECONDS
) -> list[Report]:
    """The same on a loop that runs; names are looked up by its executor."""
    try:
        reports = await asyncio.gather(*(_report(case, name, seconds) for name in names))
    finally:
        await case.close()
    mask = _masker(case)
    return [rewritten(report, mask) for report in reports if report.findings]


async def _report(case: Case, name: str, seconds: float) -> Report:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(seconds):
            async for finding in GROUPS[name](case):
                found.append(finding)  # noqa: PERF401 - what was found by the deadline counts
    except TimeoutError:
        why = f"no end of it in {seconds:g} s; what follows was not looked at"
        found.append(fail(name, why, f"fastagi-server doctor {name}"))
    except Exception as error:  # noqa: BLE001 - the other groups are worth as much
        why = f"the doctor itself failed: {type(error).__name__}"
        found.append(fail(name, why, "please report it, with the output of doctor --json"))
    return Report(name, tuple(found))


def _masker(case: Case) -> Callable[[str], str]:
    try:
        secrets = case.settings.secret_values
    except SettingsError:
        secrets = ()
    # The longest first: one secret may be a part of another.
    secrets = tuple(
        sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
    )

    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, MASK)
        return text

    return mask
