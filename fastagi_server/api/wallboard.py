"""The wallboard: its page, which anybody may have, and its news, for whoever may see every call."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from fastagi_server import web
from fastagi_server.api.answers import json_answer
from fastagi_server.api.board_bodies import BoardBody
from fastagi_server.api.board_feed import BoardFeed
from fastagi_server.api.context import TrustedRoute, services_of
from fastagi_server.api.errors import RETRY_LATER, ApiError
from fastagi_server.api.openapi import OPERATOR_SECURITY, refusals

PATH = "/wallboard"

_FOLDER = web.FOLDER / "wallboard"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

router = APIRouter(prefix="/wallboard", tags=["wallboard"], route_class=TrustedRoute)


@router.get(
    "",
    name="wallboard",
    summary="Get what the wallboard shows",
    response_model=BoardBody,
    responses=refusals(401, 403, 503),
    openapi_extra=OPERATOR_SECURITY,
)
async def snapshot(request: Request) -> Response:
    """Get everything at once: at most 1,000 calls, 100 rooms and 300 endpoints.

    `figures` has the number of all calls and rooms. When the records cannot be read, `verdict` and
    `links` say so, and the calls and rooms are those of the last look.
    """
    try:
        return json_answer(await services_of(request).board.snapshot())
    except TimeoutError:
        raise ApiError(503, "The state cannot be had in time", headers=RETRY_LATER) from None


@router.get("/feed", name="wallboard_feed", include_in_schema=False)
async def feed(request: Request) -> Response:
    """Follow the board by server-sent events: `board` with all of it, then each `change`."""
    services = services_of(request)
    if not services.board.has_room:
        raise ApiError(503, "The wallboard has as many viewers as it may have", code="busy")
    return BoardFeed(services.board, services.measures.drops)


def add_wallboard(app: FastAPI) -> None:
    """Serve the page at /wallboard, with what it needs below it."""
    app.mount(f"{PATH}/assets", _Assets(directory=_FOLDER), name="wallboard_assets")

    @app.get(PATH, name="wallboard_page", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(_FOLDER / "index.html", headers=_HEADERS)


class _Assets(StaticFiles):
    """Files that a browser asks for anew each time, so that a new version is seen at once."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers.update(_HEADERS)
        return response
