"""The doctor on the SGE API: away, hanging, refusing, slow; our token's end; its clock."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from doctor_case import found, port_of, settings_of, silent_socket, token, told

from fastagi_server.testing.sge import Behaviour, FakeSge
from tests.integration.scripted_server import always, answer, scripted_server

HOUR = 3600


async def test_well(tmp_path: Path) -> None:
    """An API that lets us in."""
    async with FakeSge() as api:
        findings = await found(settings_of(tmp_path, sge_api_url=api.url, sge_api_key="key"), "sge")
    ((level, why),) = told(findings, "SGE API")
    assert level == "ok"
    assert why.startswith("127.0.0.1 lets us in and answers in ")


async def test_down(tmp_path: Path) -> None:
    """Nobody listens."""
    findings = await found(settings_of(tmp_path, sge_api_url="http://127.0.0.1:1"), "sge")
    ((level, why),) = told(findings, "SGE API")
    assert level == "fail"
    assert why.startswith("127.0.0.1: ")


async def test_hanging(tmp_path: Path) -> None:
    """It takes the connection and says nothing."""
    async with FakeSge() as api:
        api.behaviour = Behaviour.HANG
        findings = await found(settings_of(tmp_path, sge_api_url=api.url), "sge")
    assert told(findings, "SGE API") == [("fail", "127.0.0.1 does not answer in 3 s")]


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (Behaviour.UNAUTHORIZED, "401: 127.0.0.1 does not take our credential"),
        (Behaviour.FORBIDDEN, "403: 127.0.0.1 does not take our credential"),
        (Behaviour.UNAVAILABLE, "127.0.0.1 answers 503"),
        (Behaviour.REDIRECT, "127.0.0.1 answers 301"),
    ],
)
async def test_refusing(tmp_path: Path, behaviour: Behaviour, why: str) -> None:
    """It answers, and not with what we want; the credential is not told."""
    async with FakeSge() as api:
        api.behaviour = behaviour
        settings = settings_of(tmp_path, sge_api_url=api.url, sge_api_key="top-secret-key")
        findings = await found(settings, "sge")
    assert told(findings, "SGE API")[0][0] == "fail"
    assert told(findings, "SGE API")[0][1].startswith(why[:20])
    assert "top-secret-key" not in repr(findings)


async def test_slow(tmp_path: Path) -> None:
    """It takes more than half of what callers wait."""
    async with FakeSge() as api:
        api.behaviour, api.delay = Behaviour.SLOW, 0.1
        settings = settings_of(tmp_path, sge_api_url=api.url, sge_deadline_seconds=0.1)
        findings = await found(settings, "sge")
    ((level, why),) = told(findings, "SGE API")
    assert level == "warn"
    assert why.endswith("; callers wait 0.1 s")


async def test_wrong_path(tmp_path: Path) -> None:
    """A server that knows no calls."""
    async with scripted_server(always(answer(b"{}", 404))) as server:
        findings = await found(settings_of(tmp_path, sge_api_url=str(server.url)), "sge")
    assert told(findings, "SGE API") == [("fail", "404: 127.0.0.1 has no SGE API at this path")]


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (-HOUR, "fail", "has expired on "),
        (HOUR, "warn", "expires on "),
        (800 * HOUR, "ok", "is good"),
    ],
)
async def test_token_in_a_setting(tmp_path: Path, seconds: int, level: str, words: str) -> None:
    """Nobody renews it, so its end is told a week before."""
    settings = settings_of(tmp_path, sge_jwt_token=token(exp=int(time.time()) + seconds))
    ((found_level, why),) = told(await found(settings, "sge"), "JWT")
    assert (found_level, why.startswith(words)) == (level, True)
    assert settings.sge_jwt_token.get_secret_value() not in why


@pytest.mark.parametrize(("seconds", "level"), [(-1, "fail"), (60, "warn"), (HOUR, "ok")])
async def test_token_in_a_file(tmp_path: Path, seconds: int, level: str) -> None:
    """It is renewed by whoever writes the file, and lives for an hour."""
    file = tmp_path / "token"
    file.write_text(token(exp=int(time.time()) + seconds))
    ((found_level, _),) = told(
        await found(settings_of(tmp_path, sge_jwt_token_file=file), "sge"), "JWT"
    )
    assert found_level == level


async def test_other_tokens(tmp_path: Path) -> None:
    """No end, not yet good, no JWT, no file."""

    async def examined(**given: object) -> tuple[str, str]:
        ((level, why),) = told(await found(settings_of(tmp_path, **given), "sge"), "JWT")
        return level, why

    assert await examined(sge_jwt_token=token(sub="pbx")) == ("ok", "has no end")
    level, why = await examined(sge_jwt_token=token(nbf=int(time.time()) + HOUR))
    assert (level, why.partition(" from ")[0]) == ("fail", "is good only")
    assert (await examined(sge_jwt_token="opaque"))[0] == "warn"
    missing = tmp_path / "none"
    assert await examined(sge_jwt_token_file=missing) == ("fail", f"{missing} cannot be read")


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (0, "ok", "its clock is ours"),
        (20, "warn", "its clock is "),
        (-20, "warn", "its clock is "),
        (600, "fail", "its clock is "),
    ],
)
async def test_clock(tmp_path: Path, ahead: int, level: str, words: str) -> None:
    """The Date of its answers is compared with our clock."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    async with scripted_server(always(answer(b"[]", 200, f"Date: {date}"))) as server:
        findings = await found(settings_of(tmp_path, sge_api_url=str(server.url)), "clocks")
    ((found_level, why),) = told(findings, "SGE API")
    assert (found_level, why.startswith(words)) == (level, True)
    assert ("ahead" in why, "behind" in why) == (ahead > 0, ahead < 0)


async def test_no_clock(tmp_path: Path) -> None:
    """An API without dates, or away, has a clock that cannot be compared."""
    async with scripted_server(always(answer(b"[]", 200))) as server:
        findings = await found(settings_of(tmp_path, sge_api_url=str(server.url)), "clocks")
    why = "its clock cannot be seen: its answers have no Date"
    assert told(findings, "SGE API") == [("warn", why)]
    findings = await found(settings_of(tmp_path), "clocks")
    assert told(findings, "clocks") == [("ok", "no other machine's clock matters")]


async def test_embedded_and_not_running(tmp_path: Path) -> None:
    """Our own API, of a service that does not run."""
    listener = silent_socket()
    port = port_of(listener)
    listener.close()
    ((level, why),) = told(await found(settings_of(tmp_path, port=port), "sge"), "SGE API")
    assert level == "fail"
    assert why.startswith("embedded, does not answer: ")


async def test_embedded_and_not_ready(tmp_path: Path) -> None:
    """Our own API, without something that it needs."""
    body = b'{"code":"not_ready"}'
    async with scripted_server(always(answer(body, 503))) as server:
        findings = await found(settings_of(tmp_path, port=server.port), "sge")
    assert told(findings, "SGE API") == [("fail", 'embedded, answers 503: {"code":"not_ready"}')]
