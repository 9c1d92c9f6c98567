"""The page of the REST API, from the description that the API gives of itself."""

import asyncio
from tempfile import TemporaryDirectory
from typing import Any

from docs.reference.markdown import code, page, paragraphs, plain, table
from fastagi_server import __version__
from fastagi_server.api.application import create_app
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures

Schema = dict[str, Any]


def rest_api() -> str:
    """Every operation and every body."""
    schema = asyncio.run(_description())
    bodies: dict[str, Schema] = schema["components"]["schemas"]
    return page(
        "REST API",
        """The embedded SGE API, on `PORT` (8080) of `FASTAGI_API_HOST`. It describes itself at
`/openapi.json`, with a page to try it at `/docs`. Authenticate with `X-API-Key: <key>` or
`Authorization: Bearer <key>`, where the key is `SGE_API_KEY`. Bodies are JSON of at most 64 KiB,
unknown fields are ignored, times are RFC 3339, durations milliseconds. Every answer has an
`X-Request-ID`, the request's own where it sent one.""",
        *(
            _operation(method, path, operation)
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
        ),
        "## Bodies",
        *(_body(name, body) for name, body in sorted(bodies.items())),
    )


async def _description() -> Schema:
    with TemporaryDirectory() as folder:
        async with open_store(f"sqlite:///{folder}/empty.sqlite3") as store:
            app = create_app(
                store=store, measures=Measures(), bootstrap_key=None, version=__version__
            )
            return app.openapi()


def _operation(method: str, path: str, operation: Schema) -> str:
    access = "needs a key" if operation.get("security") else "open to all"
    statuses = [
        (status, answer["description"], _answer_body(answer))
        for status, answer in sorted(operation["responses"].items())
    ]
    return "\n\n".join(
        filter(
            None,
            (
                f"## {method.upper()} {path}",
                f"{operation['summary']} ({access}).",
                paragraphs(operation.get("description", "")),
                _parameters(operation),
                _request_body(operation),
                table(("Status", "When", "Body"), statuses),
            ),
        )
    )


def _parameters(operation: Schema) -> str:
    rows = [
        (code(given["name"]), given["in"], _type(given["schema"]), given.get("description", ""))
        for given in operation.get("parameters", [])
        if given["in"] != "path"
    ]
    return table(("Parameter", "In", "Type", "Meaning"), rows) if rows else ""


def _request_body(operation: Schema) -> str:
    if "requestBody" not in operation:
        return ""
    (media,) = operation["requestBody"]["content"].values()
    need = "" if operation["requestBody"].get("required") else " (optional)"
    return f"Request body{need}: {_type(media['schema'])}."


def _answer_body(answer: Schema) -> str:
    for media_type, media in answer.get("content", {}).items():
        return _type(media["schema"]) if media_type.endswith("json") else code(media_type)
    return ""


def _body(name: str, body: Schema) -> str:
    if "enum" in body:
        words = ", ".join(map(code, body["enum"]))
        return f"### {name}\n\n{paragraphs(body['description'])}\n\nOne of {words}."
    required = body.get("required", [])
    rows = [
        (
            code(field),
            _type(schema),
            "yes" if field in required else "",
            plain(schema.get("description", "")),
        )
        for field, schema in body["properties"].items()
    ]
    heading = f"### {name}"
    return "\n\n".join(
        (
            heading,
            paragraphs(body["description"]),
            table(("Field", "Type", "Required", "Meaning"), rows),
        )
    )


def _type(schema: Schema) -> str:
    """The type of a value in words, with its limits."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    limits = [
        f"{word} {schema[key]:.0f}"
        for key, word in (("minimum", "from"), ("maximum", "to"))
        if key in schema
    ]
    return " ".join((schema.get("format") or schema.get("type", "any"), *limits))
