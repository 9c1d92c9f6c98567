"""The page /docs in a real browser."""

from fastapi import FastAPI
from playwright.async_api import expect

from fastagi_server.api.openapi import operations
from lab.browser import WatchedPage


async def test_all_operations_are_shown(page: WatchedPage, app: FastAPI, address: str) -> None:
    """Every operation is on the page, which complains of nothing and asks nobody else."""
    await page.page.goto(f"{address}/docs")
    shown = page.page.locator(".opblock-summary-description")
    described = [operation["summary"] for operation in operations(app.openapi())]
    await expect(shown).to_have_count(len(described))
    assert sorted(await shown.all_inner_texts()) == sorted(described)
    await expect(page.page.locator(".info .title")).to_contain_text("SGE VoIP API")
    assert page.complaints == []
    assert page.outside == []
    assert f"{address}/openapi.json" in page.requests


async def test_an_operation_can_be_tried(page: WatchedPage, address: str) -> None:
    """Somebody who gives his key on the page gets a real answer there."""
    await page.page.goto(f"{address}/docs")
    await page.page.get_by_role("button", name="Authorize").first.click()
    form = page.page.locator(".auth-container", has_text="X-API-Key")
    await form.locator("input").fill("bootstrap")
    await form.get_by_role("button", name="Apply credentials").click()
    await form.get_by_role("button", name="Close").click()
    listing = page.page.locator("#operations-calls-list_calls")
    await listing.locator(".opblock-summary-control").click()
    await listing.get_by_role("button", name="Try it out").click()
    await listing.get_by_role("button", name="Execute").click()
    status = listing.locator(".live-responses-table .response .response-col_status")
    await expect(status).to_have_text("200")
    assert page.complaints == []
    assert page.outside == []


async def test_others_cannot_be_asked(page: WatchedPage, address: str) -> None:
    """The browser of these tests notes and refuses what leads away from this machine."""
    await page.page.goto(f"{address}/api/v1/voip/health/live")
    failed = await page.page.evaluate(
        "fetch('http://192.0.2.1/', {mode: 'no-cors'}).then(() => 'reached', () => 'refused')"
    )
    assert failed == "refused"
    assert page.outside == ["http://192.0.2.1/"]
