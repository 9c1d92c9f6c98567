"""One operation: how it is written, and what an answer or its absence means."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from fastagi_server.ari.errors import (
    AriAnswerError,
    AriError,
    AriNotFoundError,
    AriRefusedError,
    AriServerError,
    AriTooSlowError,
    AriUnreachableError,
)
from fastagi_server.ari.requester import Requester, basic_credentials
from fastagi_server.origin.connection import Answer, ResponseTooLargeError, StaleConnectionError
from fastagi_server.telemetry.measures import Measures

LOGIN = "Basic c2t5OnDDpHNz"


class Script:
    """A transport that gives the next of its answers and keeps what was asked."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers = list(answers)
        self.messages: list[bytes] = []
        self.deadlines: list[float] = []

    async def send(self, message: bytes, deadline: float) -> Answer:
        """Give or raise the next answer."""
        self.messages.append(message)
        self.deadlines.append(deadline)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def requester(script: Script, measures: Measures | None = None) -> Requester:
    """A requester on a script."""
    return Requester(
        script,
        httpx.URL("http://127.0.0.1:8088/ari"),
        username="sky",
        password="päss",
        measures=measures or Measures(),
        timeout_seconds=5.0,
    )


def ok(body: bytes = b"{}") -> Answer:
    """A success."""
    return Answer(200, [], body)


async def ask(
    script: Script,
    method: str = "GET",
    query: Mapping[str, str | int] | None = None,
    body: Mapping[str, Any] | None = None,
    path: tuple[str, ...] = ("channels", "x"),
) -> Any:
    """Put one question."""
    return await requester(script).ask("test", method, path, query, body)


async def test_a_get_is_one_head() -> None:
    """With the login, and without a body."""
    script = Script(ok(b'{"id": "x"}'))
    assert await ask(script) == {"id": "x"}
    assert script.messages == [
        b"GET /ari/channels/x HTTP/1.1\r\n"
        b"Host: 127.0.0.1:8088\r\n"
        b"Authorization: " + LOGIN.encode() + b"\r\n"
        b"Accept: application/json\r\nUser-Agent: fastagi-server\r\n\r\n"
    ]


async def test_a_post_without_a_body_says_so() -> None:
    """Asterisk waits for a body that is not announced as absent."""
    script = Script(Answer(204, [], b""))
    assert await ask(script, "POST") is None
    assert script.messages[0].endswith(b"Content-Length: 0\r\n\r\n")


async def test_a_body_is_json_with_its_length() -> None:
    """The length is that of the bytes."""
    script = Script(ok())
    await ask(script, "POST", body={"variables": {"NAME": "Hélène"}})
    head, _, body = script.messages[0].partition(b"\r\n\r\n")
    assert body == '{"variables":{"NAME":"Hélène"}}'.encode()
    assert b"Content-Type: application/json\r\nContent-Length: 33" in head


async def test_a_query_is_written_without_what_was_not_given() -> None:
    """Empty texts are left out; yes and no are words; nothing breaks out of its place."""
    script = Script(ok())
    query: dict[str, str | int] = {
        "a": "",
        "b": "x y&z=1",
        "c": 0,
        "d": True,
        "e": False,
        "f": "é\r\n",
    }
    await ask(script, "POST", query=query)
    start = script.messages[0].split(b"\r\n")[0]
    assert start == (
        b"POST /ari/channels/x?b=x%20y%26z%3D1&c=0&d=true&e=false&f=%C3%A9%0D%0A HTTP/1.1"
    )


@pytest.mark.parametrize(
    ("channel_id", "written"),
    [
        ("a/b", b"a%2Fb"),
        ("../asterisk", b"..%2Fasterisk"),
        ("a?b#c", b"a%3Fb%23c"),
        ("a b\r\nX: y", b"a%20b%0D%0AX%3A%20y"),
        ("c1;2", b"c1%3B2"),
        ("é", b"%C3%A9"),
    ],
)
async def test_an_id_stays_one_segment(channel_id: str, written: bytes) -> None:
    """Whatever an id is made of, it names a channel and no other resource."""
    script = Script(ok())
    await ask(script, path=("channels", channel_id))
    assert script.messages[0].startswith(b"GET /ari/channels/" + written + b" HTTP/1.1\r\n")


async def test_the_deadline_is_five_seconds_from_now() -> None:
    """One for the whole operation, its repetition included."""
    script = Script(StaleConnectionError("closed"), ok())
    before = asyncio.get_running_loop().time()
    await ask(script)
    after = asyncio.get_running_loop().time()
    first, second = script.deadlines
    assert before + 5.0 <= first <= after + 5.0
    assert second == first


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_what_a_closing_connection_interrupted_is_repeated(method: str) -> None:
    """Once, where twice is as good as once."""
    script = Script(StaleConnectionError("closed"), ok())
    assert await ask(script, method) == {}
    assert len(script.messages) == 2


async def test_a_post_is_never_repeated() -> None:
    """It may have had its effect: whoever asked must look."""
    script = Script(StaleConnectionError("closed"))
    with pytest.raises(AriTooSlowError):
        await ask(script, "POST")
    assert len(script.messages) == 1


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), AriUnreachableError),
        (httpx.ConnectTimeout("late"), AriUnreachableError),
        (httpx.PoolTimeout("full"), AriUnreachableError),
        (httpx.ReadTimeout("late"), AriTooSlowError),
        (httpx.ReadError("reset"), AriTooSlowError),
        (httpx.RemoteProtocolError("half"), AriTooSlowError),
        (ResponseTooLargeError("huge"), AriAnswerError),
    ],
)
async def test_a_failed_exchange_is_an_error_of_ours(
    failure: Exception, kind: type[AriError]
) -> None:
    """What matters is whether Asterisk may have seen the request."""
    with pytest.raises(kind) as caught:
        await ask(Script(failure))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            Answer(404, [], b'{"message":"Channel not found"}'),
            AriNotFoundError,
            "Channel not found",
        ),
        (Answer(500, [], b'{"error":"Allocation failed"}'), AriServerError, "Allocation failed"),
        (Answer(500, [], b"<html>oops</html>"), AriServerError, ""),
        (Answer(400, [], b'["no"]'), AriRefusedError, ""),
        (Answer(400, [], b'{"message": 7}'), AriRefusedError, ""),
        (Answer(302, [], b""), AriRefusedError, ""),
    ],
)
async def test_a_refusal_has_asterisks_words(
    answer: Answer, kind: type[AriRefusedError], message: str
) -> None:
    """Under `message`, or `error`; other bodies have none."""
    with pytest.raises(kind) as caught:
        await ask(Script(answer))
    assert (caught.value.status, caught.value.message) == (answer.status, message)


async def test_a_success_that_is_no_json_is_an_error() -> None:
    """The page of a proxy is no answer of Asterisk's."""
    with pytest.raises(AriAnswerError):
        await ask(Script(ok(b"<html>")))


async def test_every_operation_is_measured() -> None:
    """By its name and by how it went."""
    measures = Measures()
    script = Script(ok(), Answer(404, [], b"{}"), httpx.ConnectError("refused"))
    asker = requester(script, measures)
    await asker.ask("ping", "GET", ("asterisk", "ping"))
    for _ in range(2):
        with pytest.raises(AriError):
            await asker.ask("channel", "GET", ("channels", "x"))
    counted = {
        labels: sum(series.counts) for labels, series in measures.ari_request_seconds.values.items()
    }
    assert counted == {
        ("ping", "ok"): 1,
        ("channel", "ari_not_found"): 1,
        ("channel", "ari_unreachable"): 1,
    }


async def test_a_cancelled_operation_is_measured_as_such() -> None:
    """Whoever cancelled it wants no error."""
    measures = Measures()

    class Endless:
        async def send(self, message: bytes, deadline: float) -> Answer:
            raise asyncio.CancelledError

    asker = Requester(
        Endless(),
        httpx.URL("http://127.0.0.1/ari"),
        username="a",
        password="b",
        measures=measures,
    )
    with pytest.raises(asyncio.CancelledError):
        await asker.ask("ping", "GET", ("asterisk", "ping"))
    assert list(measures.ari_request_seconds.values) == [("ping", "cancelled")]


def test_a_login_may_hold_any_character() -> None:
    """UTF-8, as RFC 7617 has it, with colons in the password."""
    assert basic_credentials("sky", "päss") == LOGIN
    assert basic_credentials("a", "b:c") == "Basic YTpiOmM="
