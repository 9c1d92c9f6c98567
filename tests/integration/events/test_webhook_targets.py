"""One attempt to tell a target, over real connections."""

import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from fastagi_server.webhooks.signature import is_genuine
from fastagi_server.webhooks.target import Outcome, Target, open_poster
from tests.integration.access.certificates import Authority
from tests.integration.events.hooks import Hook, open_hook
from tests.integration.service_process import free_port

BODY = b'{"id":"call-1"}'


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """A target."""
    async with open_hook() as hook:
        yield hook


async def post(target: Target) -> tuple[Outcome, str, float]:
    """What becomes of one attempt."""
    async with open_poster(target, user_agent="fastagi-server/1") as poster:
        attempt = await poster.post(BODY, "call-1")
        return attempt.outcome, attempt.reason, attempt.pause_seconds


async def test_a_delivery_is_signed(hook: Hook) -> None:
    """The target gets the body as it is, and can tell who sent it."""
    assert await post(Target("a", hook.url, secret=b"secret")) == (Outcome.DELIVERED, "", 0.0)
    headers, body = await hook.got.get()
    assert body == BODY
    assert headers["content-type"] == "application/json"
    assert headers["x-sge-event"] == "call-1"
    assert headers["user-agent"] == "fastagi-server/1"
    assert is_genuine(headers["X-SGE-Signature"], b"secret", body, now=time.time())


async def test_without_a_secret_there_is_no_signature(hook: Hook) -> None:
    """A target without a secret is told all the same."""
    await post(Target("a", hook.url))
    headers, _ = await hook.got.get()
    assert "X-SGE-Signature" not in headers


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, Outcome.DELIVERED),
        (400, Outcome.REFUSED),
        (410, Outcome.REFUSED),
        (401, Outcome.FAILED),
        (404, Outcome.FAILED),
        (500, Outcome.FAILED),
    ],
)
async def test_what_statuses_mean(hook: Hook, status: int, outcome: Outcome) -> None:
    """Success, a no for ever, and what may be different the next time."""
    hook.refuse(status)
    assert (await post(Target("a", hook.url)))[0] is outcome


async def test_redirects_are_not_followed(hook: Hook) -> None:
    """A body goes where the settings say and nowhere else."""
    hook.refuse(307, f"Location: {hook.url}/elsewhere")
    assert await post(Target("a", hook.url)) == (Outcome.FAILED, "status 307", 0.0)
    await hook.got.get()
    assert hook.got.empty()


@pytest.mark.parametrize(("asked", "pause"), [("7", 7.0), ("999999", 300.0), ("soon", 0.0)])
async def test_a_target_may_ask_to_be_left_alone(hook: Hook, asked: str, pause: float) -> None:
    """Retry-After in seconds is heard, up to five minutes."""
    hook.refuse(429, f"Retry-After: {asked}")
    assert await post(Target("a", hook.url)) == (Outcome.FAILED, "status 429", pause)


async def test_a_target_that_hangs_is_given_up(hook: Hook) -> None:
    """No answer within the target's time is a failure."""
    hook.answer = None
    outcome, reason, _ = await post(Target("a", hook.url, attempt_seconds=0.1))
    assert (outcome, reason) == (Outcome.FAILED, "no answer within 0.1 s")


async def test_a_slow_body_changes_nothing(hook: Hook) -> None:
    """The status has said it: the rest of the answer is hardly waited for."""
    hook.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"
    assert await post(Target("a", hook.url)) == (Outcome.DELIVERED, "", 0.0)


async def test_nobody_there_is_a_failure() -> None:
    """A target that refuses connections may be back later."""
    outcome, reason, _ = await post(Target("a", f"http://127.0.0.1:{free_port()}/"))
    assert outcome is Outcome.FAILED
    assert reason.startswith("ConnectError")


async def test_what_is_no_http_is_a_failure(hook: Hook) -> None:
    """Garbage is no success."""
    hook.answer = b"220 mail.example ESMTP\r\n\r\n"
    outcome, _, _ = await post(Target("a", hook.url))
    assert outcome is Outcome.FAILED


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    """An https target is told nothing before its certificate has proved good."""
    trusted, other = Authority(tmp_path), Authority(tmp_path, "other")
    certificate, key = trusted.sign("hook", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with open_hook(context) as hook:
        outcome, reason, _ = await post(Target("a", hook.url, ca_file=other.file))
        assert outcome is Outcome.FAILED
        assert "CERTIFICATE_VERIFY_FAILED" in reason
        assert hook.got.empty()
        good = await post(Target("a", hook.url, ca_file=trusted.file))
        assert good == (Outcome.DELIVERED, "", 0.0)
