"""The wallboard in Chromium while 1,000 calls are active, and others come and go."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from benchmarks.isolation import ROOT
from benchmarks.processes import BenchmarkError
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.browser import open_browser, why_not
from lab.errors import LabError
from lab.service import API_KEY, Service

LIVE_CALLS = 1_000
TURNS = 40
CALLS_PER_TURN = 5
LIMIT_MS = 100.0
LEAST_MS = 50.0
"""Chromium does not tell of shorter tasks."""

SLOW = 4
"""How many times slower the processor is made for the second row: a cheap telephone's."""

PATIENCE_MS = 60_000

_WATCH = """
window.tasks = [];
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) window.tasks.push(each.duration);
}).observe({ type: "longtask", buffered: true });
"""

_NOTE = (
    f"{LIVE_CALLS:,} active calls in SQLite, on a page of 1920x1080 that is scrolled through while "
    f"{CALLS_PER_TURN} calls begin and {CALLS_PER_TURN} end in each turn. Chromium tells of tasks "
    f"of {LEAST_MS:.0f} ms and more; {SLOW}x is the same with the processor slowed down so much."
)


def wallboard(rig: Rig) -> Section:
    """The longest task of the page, from the sign-in on."""
    reason = why_not()
    if reason:
        raise BenchmarkError(reason)
    try:
        with Service.start({"PYTHONPATH": str(ROOT)}) as service:
            for number in range(LIVE_CALLS):
                service.place(f"user-{number}")
            usual = asyncio.run(_longest(service, rig.scaled(TURNS), slowdown=1))
            slow = asyncio.run(_longest(service, rig.scaled(TURNS), slowdown=SLOW))
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    return Section(
        "The wallboard with 1,000 active calls",
        ("processor", "longest task"),
        (("1x", _words(usual)), (f"{SLOW}x slower", _words(slow))),
        _NOTE,
        (Bar("longest task", f"under {LIMIT_MS:.0f} ms", _words(usual), usual < LIMIT_MS),),
    )


async def _longest(service: Service, turns: int, *, slowdown: int) -> float:
    with tempfile.TemporaryDirectory(prefix="wallboard-") as folder:
        async with open_browser(Path(folder)) as browser:
            page = (await browser.open_page()).page
            await page.set_viewport_size({"width": 1920, "height": 1080})
            await page.add_init_script(_WATCH)
            devtools: Any = await page.context.new_cdp_session(page)
            await devtools.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
            await _sign_in(page, service)
            for turn in range(turns):
                progress(f"wallboard {slowdown}x: turn {turn}")
                await asyncio.to_thread(_change, service, turn)
                await page.mouse.wheel(0, 700)
            tasks: list[float] = await page.evaluate("window.tasks")
    return max(tasks, default=0.0)


async def _sign_in(page: Page, service: Service) -> None:
    await page.goto(service.api.removesuffix("/api/v1/voip") + "/wallboard")
    await page.get_by_label("API key").fill(API_KEY)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(
        f"#calls-table[aria-rowcount='{LIVE_CALLS + 1}']", timeout=PATIENCE_MS
    )


def _change(service: Service, turn: int) -> None:
    for number in range(CALLS_PER_TURN):
        # The bound of the board is 1,000 calls: a new one takes the place of an old one.
        call = service.place(f"new-{turn}-{number}")
        service.request("POST", f"/calls/{call['id']}/accept")
        service.request("POST", f"/calls/{call['id']}/end")


def _words(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds else f"under {LEAST_MS:.0f} ms"
