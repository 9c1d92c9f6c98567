"""What other programs are told of calls in a real Asterisk: by the stream and by webhook."""

import http.client
import json
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from supervised_stage import CONTEXTS, only_call, supervised, whole

from fastagi_server.events.frames import FrameReader
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.root import Root
from lab.service import Service

pytestmark = pytest.mark.asterisk

PATIENCE_SECONDS = 30.0


@pytest.fixture
def told() -> Iterator[tuple[str, Queue[Any]]]:
    """The address of a webhook, and what it is told."""
    events = Queue[Any]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", events
        finally:
            server.shutdown()
            thread.join()


def follow(service: Service, key: str) -> Generator[Any]:
    """The events of the running service from now on."""
    connection = http.client.HTTPConnection(
        service.api.removeprefix("http://").partition("/")[0], timeout=PATIENCE_SECONDS
    )
    connection.request("GET", "/api/v1/voip/events", headers={"X-API-Key": key})
    with closing(connection), connection.getresponse() as answer:
        assert answer.status == 200
        reader = FrameReader()
        while line := answer.readline():
            event = reader.receive(line.decode().rstrip("\n"))
            yield None if event is None else json.loads(event)


def up_to(events: Iterator[Any], event_type: str) -> list[Any]:
    """The events up to the first of a type."""
    found: list[Any] = []
    for event in events:
        if event is not None:
            found.append(event)
            if event["type"] == event_type:
                return found
    raise AssertionError(found)


def test_a_call_is_told_of(lab_root: Root, told: tuple[str, Queue[Any]]) -> None:
    """From the channel to the end, the stream and the webhook tell the same story of a call."""
    url, delivered = told
    variables = {"SGE_RING_SECONDS": "1"}
    with (
        ExitStack() as stack,
        Asterisk.start(variables=variables, extensions=CONTEXTS, root=lab_root) as asterisk,
        supervised(asterisk, SGE_WEBHOOK_URL=url, SGE_WEBHOOK_SECRET="s" * 32) as service,
    ):
        key = service.command("keys", "create", "follower", "--scope", "operator").split()[-1]
        events = stack.enter_context(closing(follow(service, key)))
        next(events)
        callee = Phone.answering(asterisk, "1001", ring_ms=400)
        with callee, Phone.calling(asterisk, "1002", "81001", hang_up_after_ms=500) as caller:
            call = only_call(service, "ringing")
            assert caller.wait(), caller.explain()
            assert callee.wait(), callee.explain()
        whole(service, call["id"])
        streamed = up_to(events, "call.ended")
        by_webhook = [delivered.get(timeout=PATIENCE_SECONDS) for _ in range(4)]
    story = ["call.adopted", "call.ringing", "call.connected", "call.ended"]
    assert [each["type"] for each in streamed if each["call"] == call["id"]] == story
    assert [each["type"] for each in by_webhook] == story
    assert by_webhook[-1]["data"]["hangup_cause"] == 16
    types = {each["type"] for each in streamed}
    assert {"endpoint.registered", "channel.created", "channel.ended", "device.state"} <= types
