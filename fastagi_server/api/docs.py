"""The page that shows the API and lets one try it, from this server alone.

Swagger UI comes with a Python package, so that the page works where no other host can be reached;
the policy it is sent with keeps a browser from asking any.
"""

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

PATH = "/docs"
_ASSETS = f"{PATH}/assets"
_NO_ICON = "data:,"
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:;"
    " script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


def add_docs(app: FastAPI) -> None:
    """Serve the page at /docs, with what it needs below it."""
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs_assets")

    @app.get(PATH, name="docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=_NO_ICON,
        )
        page.headers["Content-Security-Policy"] = _POLICY
        return page
