"""The softphone's page, which anybody may have: what it may do is up to the token given to it."""

import html
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from fastagi_server import web

PATH = "/phone"

_FOLDER = web.FOLDER / "phone"
_USUAL = '<meta name="gateway" content="sge-gateway">'
_HEADERS = {
    # Media of calls need no leave of their own: they are streams, not addresses.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": (
        "microphone=(self), camera=(self), display-capture=(self), speaker-selection=(self), "
        "geolocation=()"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_phone(app: FastAPI, gateway: str = "") -> None:
    """Serve the page at /phone, with what it needs below it; /client has the calls' library.

    `gateway` is the PJSIP endpoint that browsers are behind, if it is not the usual one.
    """
    text = (_FOLDER / "index.html").read_text(encoding="utf-8")
    if gateway:
        text = text.replace(_USUAL, f'<meta name="gateway" content="{html.escape(gateway)}">')
    app.mount(f"{PATH}/assets", _Assets(directory=_FOLDER), name="phone_assets")

    @app.get(PATH, name="phone_page", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(text, headers=_HEADERS)


class _Assets(StaticFiles):
    """Files that a browser asks for anew each time, so that a new version is seen at once."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers.update(_HEADERS)
        return response
