"""Bodies that are JSON, and bodies that only look like it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.api.errors import ApiError
from fastagi_server.api.json_request import JsonRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


async def read(body: bytes) -> object:
    """What a request with this body holds."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    value: object = await JsonRequest({"type": "http"}, receive).json()
    return value


@given(VALUES)
async def test_json_is_read(value: object) -> None:
    """Whatever can be written as JSON is read as it was."""
    assert await read(json.dumps(value).encode()) == value
    assert await read(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b"\xff\xfe",
        '{"a": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": NaN}',
        b'{"a": [-Infinity]}',
        b'{"a": 01}',
        b"{'a': 1}",
        b'{"a": "\n"}',
        b'{"a": "\x00"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
async def test_nearly_json(body: bytes) -> None:
    """What is no JSON in UTF-8, or made to hurt its reader, is refused."""
    with pytest.raises(ApiError) as refused:
        await read(body)
    assert (refused.value.status_code, refused.value.detail) == (
        400,
        "The body is not well-formed JSON",
    )


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "c": 2, "\\u0061": 3}}]'])
async def test_member_named_twice(body: bytes) -> None:
    """An object that names a member twice is refused however it is spelt and wherever it is."""
    with pytest.raises(ApiError) as refused:
        await read(body)
    assert (refused.value.status_code, refused.value.detail) == (
        400,
        "The body names a member twice",
    )
