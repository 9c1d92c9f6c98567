"""kill -9 under calls of a real Asterisk: its log and the API agree on every call."""

import asyncio
import random
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.root import Root

from .arena import Arena, Mode, open_api
from .asterisk_callers import EXTENSIONS, AsteriskCallers, read_stories
from .report import Report
from .server import Server
from .story import Story

LOG = """\
[2026-11-22 21:32:19.980] VERBOSE[8194][C-00000002] app_verbose.c: CHAOS 17.1 begin=
[2026-11-22 21:32:20.125] VERBOSE[8194][C-00000002] app_verbose.c: \
CHAOS 17.1 register=QUEUED call=q-1 code=api_timeout
[2026-11-22 21:32:20.500] VERBOSE[8196][C-00000002] app_verbose.c: CHAOS 17.1 accept=REGISTERED
[2026-11-22 21:32:20.600] VERBOSE[8197][C-00000003] app_verbose.c: CHAOS 17.5 begin=
[2026-11-22 21:32:21.125] VERBOSE[8194][C-00000002] app_verbose.c: CHAOS 17.1 end= dial=ANSWER
[2026-11-22 21:32:22.125] VERBOSE[8197][C-00000003] app_verbose.c: \
CHAOS 17.5 register=FAILED call= code=service_unreachable
"""


async def run_with_asterisk(asterisk: Asterisk, mode: Mode, folder: Path, kills: int) -> Report:
    """One run with calls of the real Asterisk."""
    seed = random.SystemRandom().randrange(1_000_000)
    async with open_api(mode, folder) as api:
        server = Server(folder, api.settings)
        asterisk.set_global("SGE_AGI", f"agi://{server.host}:{server.port}")
        callers = AsteriskCallers(asterisk, random.Random(f"calls {seed}"))
        return await Arena(server, api, callers, seed=seed).run(kills)


@pytest.mark.asterisk
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("mode", "kills"), [("remote", 8), ("embedded", 6)])
def test_killed_under_calls_of_asterisk(
    lab_root: Root, tmp_path: Path, mode: Mode, kills: int
) -> None:
    """Calls that Asterisk was told REGISTERED or QUEUED are in the API once, as they went."""
    with Asterisk.start(extensions=EXTENSIONS, root=lab_root) as asterisk:
        report = asyncio.run(run_with_asterisk(asterisk, mode, tmp_path, kills))
    print(f"{mode}, {report}")  # noqa: T201 - pytest shows it when the test fails, with the seed
    assert not report.faults
    assert len(report.stories) > 50
    assert any(record.events == ("created", "accepted", "ended") for record in report.records)


def test_the_log_of_asterisk_is_read() -> None:
    """Answers, the silence of a server that was killed, and the dialplan's own FAILED."""
    first, second = read_stories(LOG)
    first.steps.clear()
    second.steps.clear()
    assert first == Story(
        "17.1",
        registered="QUEUED",
        call_id="q-1",
        accepted="REGISTERED",
        ended="",
        dial_status="ANSWER",
    )
    assert second == Story("17.5", registered="", call_id="")
