"""The description of the API: nothing in it may be left unsaid.

Most of these tests walk over whatever the description holds, so that an operation that is added
without its examples or its refusals is found here.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from fastagi_server.api.errors import STATUSES, title_of

Schema = dict[str, Any]

OPEN_TO_ALL = {"health_live", "health_ready", "metrics_prometheus"}
REFUSALS_OF_BODIES = {"400", "408", "413", "415", "422"}


@pytest.fixture
def schema(app: FastAPI) -> Schema:
    """The description."""
    return app.openapi()


def operations(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Each operation, with its method and path to tell it by."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolved(schema: Schema, part: Schema) -> Schema:
    """The part of a description that is meant by a reference."""
    while "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return part


def has_example(schema: Schema, part: Schema) -> bool:
    """Whether a body, or the kind of thing it is a list of, is shown by example."""
    part = resolved(schema, part)
    if "example" in part or part.get("examples"):
        return True
    choices = [*part.get("anyOf", []), *([part["items"]] if "items" in part else [])]
    return any(has_example(schema, choice) for choice in choices)


def media_have_examples(schema: Schema, content: Schema) -> bool:
    """Whether every media type of a body is shown by example."""
    return bool(content) and all(
        "example" in media or has_example(schema, media.get("schema", {}))
        for media in content.values()
    )


def test_operations_are_told_apart(schema: Schema) -> None:
    """Every operation has a short name of its own, a heading, a description and a group."""
    ids = [operation["operationId"] for _, operation in operations(schema)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(schema):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), name
        assert operation["summary"], name
        assert operation["description"], name
        assert len(operation["tags"]) == 1, name


def test_operations_name_their_credentials(schema: Schema) -> None:
    """Every operation but those open to all names the known ways to prove who asks."""
    known = set(schema["components"]["securitySchemes"])
    assert {"ApiKey", "Bearer"} <= known
    for name, operation in operations(schema):
        if operation["operationId"] in OPEN_TO_ALL:
            assert "security" not in operation, name
            continue
        ways = {way for choice in operation["security"] for way in choice}
        assert {"ApiKey", "Bearer"} <= ways <= known, name
        assert {"401", "403", "429"} <= set(operation["responses"]), name


def test_requests_are_shown(schema: Schema) -> None:
    """Every request body is shown by example, and every refusal of a body is told."""
    for name, operation in operations(schema):
        if "requestBody" in operation:
            assert media_have_examples(schema, operation["requestBody"]["content"]), name
            assert set(operation["responses"]) >= REFUSALS_OF_BODIES, name


def test_answers_are_shown(schema: Schema) -> None:
    """Every answer that is a success is shown by example."""
    for name, operation in operations(schema):
        successes = [status for status in operation["responses"] if status.startswith("2")]
        assert successes, name
        for status in successes:
            response = operation["responses"][status]
            assert status == "204" or media_have_examples(schema, response["content"]), name


def test_refusals_are_shown(schema: Schema) -> None:
    """Every refusal has the one shape and an example with the operation's own title."""
    for name, operation in operations(schema):
        for status, response in operation["responses"].items():
            if status >= "4":
                (media,) = response["content"].items()
                assert media[0] == "application/json", name
                assert media[1]["schema"] == {"$ref": "#/components/schemas/ErrorBody"}, name
                example = media[1]["example"]
                assert list(example) == ["error", "message", "code", "request_id"], name
                assert example["error"] == title_of(operation["operationId"], int(status)), name
                assert response["description"] == STATUSES[int(status)][2], name


def test_refusals_say_when_to_come_again(schema: Schema) -> None:
    """Refusals that time heals name the header that says how much of it."""
    for name, operation in operations(schema):
        for status in {"429", "502", "503", "504"} & set(operation["responses"]):
            assert "Retry-After" in operation["responses"][status]["headers"], name


def test_parameters_are_explained(schema: Schema) -> None:
    """Every parameter says what it means, those of paths by example, and may miss its mark."""
    for name, operation in operations(schema):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], f"{name} {parameter['name']}"
            if parameter["in"] == "path":
                assert parameter["example"], f"{name} {parameter['name']}"
                assert "404" in operation["responses"], name


def test_shapes_are_explained(schema: Schema) -> None:
    """Every shape says what it is, and objects have what they require."""
    for name, shape in schema["components"]["schemas"].items():
        assert shape["description"], name
        assert set(shape.get("required", [])) <= set(shape.get("properties", {})), name
        assert "HTTPValidationError" not in name


def test_documented_titles(schema: Schema) -> None:
    """The titles of refusals that are documented for years are as documented."""
    shown = {
        operation["operationId"]: operation["responses"]["403"]["content"]["application/json"][
            "example"
        ]["error"]
        for _, operation in operations(schema)
        if "403" in operation["responses"]
    }
    documented = {
        "create_call": "Call initiation failed",
        "accept_call": "Call acceptance failed",
        "end_call": "Call termination failed",
        "get_call": "Call retrieval failed",
        "asterisk_health": "Asterisk unhealthy",
        "asterisk_info": "Failed to retrieve Asterisk information",
        "asterisk_channels": "Failed to retrieve Asterisk channels",
        "asterisk_channel": "Failed to retrieve Asterisk channel",
        "asterisk_bridges": "Failed to retrieve Asterisk bridges",
        "asterisk_endpoints": "Failed to retrieve Asterisk endpoints",
        "asterisk_endpoint": "Failed to retrieve Asterisk endpoint",
    }
    assert documented.items() <= shown.items()


def test_documented_spellings(schema: Schema) -> None:
    """The words for kinds and states of calls are as documented."""
    shapes = schema["components"]["schemas"]
    assert shapes["CallType"]["enum"] == ["audio", "video", "screen", "conference"]
    assert shapes["CallStatus"]["enum"] == [
        "initiating",
        "ringing",
        "connected",
        "on_hold",
        "ended",
    ]


async def test_same_for_everybody(anybody: httpx.AsyncClient, app: FastAPI) -> None:
    """Anybody reads the description, every time the same."""
    first = await anybody.get("http://sge/openapi.json")
    second = await anybody.get("http://sge/openapi.json")
    assert first.json() == app.openapi()
    assert first.content == second.content


async def test_page(anybody: httpx.AsyncClient) -> None:
    """/docs shows the description with nothing that is not served here."""
    page = await anybody.get("http://sge/docs")
    assert page.status_code == 200
    assert "'/openapi.json'" in page.text
    asked_for = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert asked_for == [
        "/docs/assets/swagger-ui.css",
        "data:,",
        "/docs/assets/swagger-ui-bundle.js",
    ]
    assert "http" not in "".join(asked_for)
    assert page.headers["content-security-policy"].startswith("default-src 'none';")


@pytest.mark.parametrize(
    ("asset", "media_type", "word"),
    [
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8", "SwaggerUIBundle"),
        ("swagger-ui.css", "text/css; charset=utf-8", ".swagger-ui"),
    ],
)
async def test_assets(anybody: httpx.AsyncClient, asset: str, media_type: str, word: str) -> None:
    """What the page asks for is served, and not sent again to who has it."""
    answer = await anybody.get(f"http://sge/docs/assets/{asset}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert word in answer.text
    tag = {"If-None-Match": answer.headers["etag"]}
    assert (await anybody.get(f"http://sge/docs/assets/{asset}", headers=tag)).status_code == 304


@pytest.mark.parametrize(
    "path", ["/docs/assets/none.js", "/docs/assets/..%2f__init__.py", "/redoc"]
)
async def test_no_other_files(anybody: httpx.AsyncClient, path: str) -> None:
    """Nothing else is served beside the page."""
    answer = await anybody.get(f"http://sge{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_page_behind_a_proxy(app: FastAPI) -> None:
    """Below a prefix that a proxy takes away, the page asks for everything with the prefix."""
    transport = httpx.ASGITransport(app, root_path="/voip")
    async with httpx.AsyncClient(transport=transport, base_url="http://sge") as client:
        page = await client.get("/docs")
    assert "'/voip/openapi.json'" in page.text
    assert 'src="/voip/docs/assets/swagger-ui-bundle.js"' in page.text


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/calls", "GET, POST"),
        ("/calls/x", "GET"),
        ("/calls/x/end", "POST"),
        ("/asterisk/health", "GET"),
    ],
)
async def test_allowed_methods(anybody: httpx.AsyncClient, path: str, allowed: str) -> None:
    """A method that a path does not know is answered with those it knows."""
    answer = await anybody.request("PATCH", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
