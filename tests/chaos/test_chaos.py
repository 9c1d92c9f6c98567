"""kill -9 at random moments under load: nothing acknowledged is lost, nothing is there twice."""

import asyncio
import random
from pathlib import Path

import pytest

from .arena import Mode, run_arena

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize(("mode", "kills"), [("remote", 40), ("workers", 30), ("embedded", 30)])
def test_killed_at_any_moment(tmp_path: Path, mode: Mode, kills: int) -> None:
    """Calls told REGISTERED or QUEUED are in the API once, in order, with the end they had."""
    seed = random.SystemRandom().randrange(1_000_000)
    report = asyncio.run(run_arena(mode, tmp_path, kills=kills, seed=seed))
    print(f"{mode}, {report}")  # noqa: T201 - pytest shows it when the test fails, with the seed
    assert not report.faults
    assert {story.registered for story in report.stories} >= {"REGISTERED", "QUEUED"}
    assert any(record.events == ("created", "accepted", "ended") for record in report.records)
