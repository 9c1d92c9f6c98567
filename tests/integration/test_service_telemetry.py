"""What the real process tells about itself: lines, errors, traces; and never a secret."""

import asyncio
import json
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr
from service_process import PATIENCE_SECONDS, ServiceProcess, free_port, process
from sinks import Sink, open_sink

from fastagi_server.settings import Settings
from fastagi_server.telemetry.spans import ids_of
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import Behaviour, FakeSge

CALLER: dict[str, Any] = {"caller_number": "+33199731337", "caller_name": "Zaphod Beeblebrox"}
SECRET = "hunter2-of-"


@pytest.fixture
def sink() -> Generator[Sink]:
    """Sentry and collector in one."""
    with open_sink() as sink:
        yield sink


async def call(service: ServiceProcess, path: str, **options: Any) -> FakeAsterisk:
    """A session of a caller with a name."""
    asterisk = FakeAsterisk(path, **CALLER, deadline=PATIENCE_SECONDS, **options)
    await asterisk.run("127.0.0.1", service.port)
    return asterisk


def secrets(sink: Sink) -> dict[str, str]:
    """A value for every secret setting, a new one too."""
    values = {
        name: f"{SECRET}{name}".ljust(40, "x")
        for name, field in Settings.model_fields.items()
        if field.annotation is SecretStr
    }
    values["sentry_dsn"] = f"http://{SECRET.replace('-', '')}dsn@127.0.0.1:{sink.port}/42"
    values["otel_exporter_otlp_headers"] = f"x-token={SECRET}headers"
    return values


def environment(values: dict[str, str], *left_out: str) -> dict[str, str]:
    """Settings as variables."""
    return {name.upper(): value for name, value in values.items() if name not in left_out}


def assert_no_secret(text: str) -> None:
    """None of the values above, in any of its writings."""
    assert SECRET not in text
    assert SECRET.replace("-", "") not in text
    assert "hunter2" not in text


async def test_no_secret_of_a_service_with_a_remote_api(tmp_path: Path, sink: Sink) -> None:
    """All secrets are set, everything is traced and much goes wrong: no output holds one."""
    values = secrets(sink)
    path = tmp_path / "api.log"
    async with FakeSge() as sge:
        given = environment(values, "sge_api_key", "fastagi_secret")
        given |= {
            "SGE_API_URL": sge.url,
            "FASTAGI_LOG_LEVEL": "debug",
            "FASTAGI_LOG_FILE": str(path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        }
        async with process(tmp_path, **given) as service:
            await tailed(path, """grep --line-buffered '"listening"'""")
            first = await call(service, "register", unique_id="17.1")
            sge.behaviour = Behaviour.ERROR
            await call(service, "register", unique_id="17.2")
            await call(service, f"nothing/token={SECRET}path", unique_id="17.3")
            service.signal(signal.SIGTERM)
            assert await service.end() == 0
    assert first.variables["SGE_STATUS"] == "REGISTERED"
    text = path.read_text()
    assert '"sge_answer"' in text
    assert '"statement_queued"' in text
    assert sink.requests
    assert_no_secret(text + service.text + bodies(sink))


async def test_no_secret_of_a_service_with_its_own_api(tmp_path: Path, sink: Sink) -> None:
    """Requests with good and bad credentials, an Asterisk that is away, a log file that fails."""
    values = secrets(sink)
    port = free_port()
    given = environment(values, "sge_jwt_token")
    given |= {
        "PORT": str(port),
        "FASTAGI_LOG_LEVEL": "debug",
        "FASTAGI_LOG_FILE": str(tmp_path / "missing" / "api.log"),
        "ASTERISK_ARI_URL": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
    }
    async with process(tmp_path, **given) as service:
        await service.line('"listening"')
        await call(service, "register", unique_id="17.1")  # fails the challenge
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1/voip") as client:
            good = await client.get("/calls", headers={"X-API-Key": values["sge_api_key"]})
            bad = await client.get(
                f"/calls?token={SECRET}query", headers={"Authorization": f"Bearer {SECRET}bearer"}
            )
        service.signal(signal.SIGTERM)
        assert await service.end() == 0
    assert (good.status_code, bad.status_code) == (200, 401)
    (event,) = [each for each in sink.events if "log_file" in each["logentry"]["message"]]
    assert event["logger"] == "sge.voip.logs"
    assert '"log_file_unwritable"' in service.text
    assert_no_secret(service.text + bodies(sink))


@pytest.mark.parametrize(("choice", "is_seen"), [("mask", False), ("show", True)])
async def test_personal_data(tmp_path: Path, choice: str, is_seen: bool) -> None:  # noqa: FBT001
    """Numbers and names are in the debug trace where the operator wants it, and else nowhere."""
    async with FakeSge() as sge:
        given = {"SGE_API_URL": sge.url, "FASTAGI_LOG_LEVEL": "debug"}
        async with process(tmp_path, FASTAGI_LOG_PERSONAL_DATA=choice, **given) as service:
            await service.line('"listening"')
            await call(service, "register?dialled=31337", unique_id="17.1")
            sge.behaviour = Behaviour.INVALID
            await call(service, "register?dialled=31337", unique_id="17.2")
            service.signal(signal.SIGTERM)
            await service.end()
    line = next(line for line in service.text.splitlines() if '"sge_answer"' in line)
    assert "agi-pbx-17.1" in line
    for personal in ("99731337", "31337", "Zaphod", "Beeblebrox"):
        assert (personal in service.text) is is_seen


async def test_lines_of_a_call_carry_its_ids(tmp_path: Path) -> None:
    """Unique id, linked id and SGE's id, in the lines of the client and of the session alike."""
    async with FakeSge() as sge:
        given = {"SGE_API_URL": sge.url, "FASTAGI_LOG_LEVEL": "debug"}
        async with process(tmp_path, **given) as service:
            await service.line('"listening"')
            asterisk = await call(service, "register?linkedid=17.0", unique_id="17.1")
            await service.line('"agi_session"')
    said = [json.loads(line) for line in service.text.splitlines()]
    answer = next(line for line in said if line["event"] == "sge_answer")
    session = next(line for line in said if line["event"] == "agi_session")
    assert (answer["unique_id"], answer["linked_id"]) == ("17.1", "17.0")
    assert (session["unique_id"], session["linked_id"]) == ("17.1", "17.0")
    assert session["call"] == asterisk.variables["SGE_CALL_ID"]
    assert (session["logger"], answer["logger"]) == ("sge.voip.fastagi", "sge.voip")


async def test_the_documented_tail(tmp_path: Path) -> None:
    """`tail -f api.log | grep voip` shows the session's line, from a file rotated meanwhile."""
    path = tmp_path / "api.log"
    async with FakeSge() as sge:
        given = {"SGE_API_URL": sge.url, "FASTAGI_LOG_FILE": str(path)}
        async with process(tmp_path, **given) as service:
            await tailed(path, """grep --line-buffered '"listening"'""")
            path.rename(tmp_path / "api.log.1")
            await call(service, "register", unique_id="17.1")
            line = json.loads(await tailed(path, "grep --line-buffered voip"))
            service.signal(signal.SIGTERM)
            await service.end()
    assert line["event"] == "agi_session"
    assert service.text == ""


async def test_one_trace_from_the_session_to_the_end_of_the_call(
    tmp_path: Path, sink: Sink
) -> None:
    """Session, request, the API's handler, the call's end: one trace, found from the call alone."""
    async with process(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url) as service:
        await service.line('"listening"')
        first = await call(service, "register", unique_id="17.1")
        await call(service, "end", unique_id="17.1", variables=first.variables)
        await call(service, "register", unique_id="18.1")
        service.signal(signal.SIGTERM)
        assert await service.end() == 0
    trace_id, root_id = ids_of("agi-pbx-17.1")
    spans = {
        span.span_id.hex(): span
        for span in spans_in(sink)
        if span.trace_id.hex() == f"{trace_id:032x}"
    }
    names = {span.name for span in spans.values()}
    assert names == {
        "call",
        "AGI register",
        "SGE register",
        "API create_call",
        "AGI end",
        "SGE end",
        "API end_call",
    }
    parents = {
        span.name: spans[span.parent_span_id.hex()].name
        for span in spans.values()
        if span.parent_span_id
    }
    assert parents == {
        "AGI register": "call",
        "SGE register": "AGI register",
        "API create_call": "SGE register",
        "AGI end": "call",
        "SGE end": "AGI end",
        "API end_call": "SGE end",
    }
    root = spans[f"{root_id:016x}"]
    assert root.name == "call"
    told = {each.key: each.value.string_value for each in root.attributes}
    assert told["unique_id"] == "17.1"
    assert told["call"] == first.variables["SGE_CALL_ID"]


async def test_a_call_of_a_remote_api_is_a_trace(tmp_path: Path, sink: Sink) -> None:
    """The header goes to the API, and the root is written here; a queued call is part of it."""
    async with FakeSge() as sge:
        given = {"SGE_API_URL": sge.url, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        async with process(tmp_path, **given) as service:
            await service.line('"listening"')
            sge.behaviour = Behaviour.ERROR
            await call(service, "register", unique_id="17.1")
            sge.behaviour = Behaviour.OBEY
            await service.line('"outbox_delivered"')
            await call(service, "end", unique_id="17.1")
            service.signal(signal.SIGTERM)
            await service.end()
    trace_id, _ = ids_of("agi-pbx-17.1")
    names = [span.name for span in spans_in(sink) if span.trace_id.hex() == f"{trace_id:032x}"]
    assert {"AGI register", "SGE register", "outbox register", "AGI end", "call"} <= set(names)
    assert names.count("call") == 1
    headers = [request.headers["traceparent"] for request in sge.requests]
    assert all(header.startswith(f"00-{trace_id:032x}-") for header in headers)


async def test_calls_are_unharmed_when_nobody_listens(tmp_path: Path) -> None:
    """Sentry and the collector away, the log file in no folder: every call is registered."""
    port = free_port()
    async with FakeSge() as sge:
        given = {
            "SGE_API_URL": sge.url,
            "SENTRY_DSN": f"http://key@127.0.0.1:{port}/1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "FASTAGI_LOG_FILE": str(tmp_path / "missing" / "api.log"),
        }
        async with process(tmp_path, **given) as service:
            await service.line('"listening"')
            calls = [call(service, "register", unique_id=f"17.{n}") for n in range(20)]
            outcomes = [each.variables["SGE_STATUS"] for each in await asyncio.gather(*calls)]
            service.signal(signal.SIGTERM)
            assert await service.end() == 0
    assert outcomes == ["REGISTERED"] * 20


async def tailed(path: Path, command: str) -> bytes:
    """The first line that `tail -F` of a file, which need not be there yet, gives to `command`."""
    shell = await asyncio.create_subprocess_shell(
        f"tail -F -n +1 {path} 2>/dev/null | {command}",
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert shell.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await shell.stdout.readline()
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        await shell.communicate()


def bodies(sink: Sink) -> str:
    """All that was sent to Sentry and to the collector."""
    return "".join(body.decode("utf-8", "replace") for _, _, body in sink.requests)


def spans_in(sink: Sink) -> list[Any]:
    """All spans that came to the collector."""
    return [
        span
        for path, _, body in sink.requests
        if path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
