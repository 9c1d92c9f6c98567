"""The library that pages telephone with, for whoever may load a page of this service.

It is one ES module, `/client/sge-voip.js`, with those that it imports and its types beside it. A
browser keeps it and asks each time whether it is still the same, so that all parts are of one
version.
"""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles

from fastagi_server import web

PATH = "/client"

_FOLDER = web.FOLDER / "client"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, no-cache",
}
_TYPES = ".d.ts"


def add_client(app: FastAPI) -> None:
    """Serve the library below /client. Pages of other origins get it from a proxy of theirs."""
    app.mount(PATH, _Modules(directory=_FOLDER), name="client")


class _Modules(StaticFiles):
    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers.update(_HEADERS)
        if str(arguments[0]).endswith(_TYPES):
            # By its ending it would be a film.
            response.headers["Content-Type"] = "text/plain; charset=utf-8"
        return response
