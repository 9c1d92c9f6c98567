"""What the client logs of its conversation when it is asked to: everything but the credential."""

import asyncio
import json

import httpx
from structlog.testing import capture_logs

from fastagi_server.registration.models import Registration
from fastagi_server.sge.client import open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.telemetry.measures import Measures

REGISTRATION = Registration(
    "pbx", "17.4", "PJSIP/1002-1", "17.4", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)


async def register(answer: httpx.Response, *, trace: bool = True) -> list[dict[str, object]]:
    """Register a call that is answered so; the lines logged of it."""
    async with open_client(
        "http://api.test/api/v1",
        credentials=open_credentials("bearer", value="s3cret"),
        measures=Measures(),
        transport=httpx.MockTransport(lambda _: answer),
        trace=trace,
    ) as client:
        deadline = asyncio.get_running_loop().time() + 2
        with capture_logs() as lines:
            await client.register(REGISTRATION, deadline=deadline)
    return [dict(line) for line in lines if line["event"] == "sge_answer"]


async def test_a_conversation_is_logged_for_those_who_debug() -> None:
    """Question and answer are one line of level debug, in which no credential stands."""
    answer = httpx.Response(201, json={"id": "c1", "metadata": {}})
    [line] = await register(answer)
    assert json.loads(str(line.pop("question")))["participants"] == ["SIP/1001"]
    assert json.loads(str(line.pop("answer"))) == {"id": "c1", "metadata": {}}
    assert line == {
        "event": "sge_answer",
        "log_level": "debug",
        "operation": "register",
        "target": "POST /api/v1/voip/calls",
        "key": "agi-pbx-17.4",
        "status": 201,
    }
    assert "s3cret" not in str(line)


async def test_a_long_answer_is_cut() -> None:
    """Of an answer only the first 4,096 bytes are logged."""
    answer = httpx.Response(201, json={"id": "c1", "padding": "x" * 10_000})
    [line] = await register(answer)
    assert len(str(line["answer"])) == 4096


async def test_nothing_is_logged_unasked() -> None:
    """Without `trace` a conversation leaves no line."""
    assert await register(httpx.Response(201, json={"id": "c1"}), trace=False) == []
