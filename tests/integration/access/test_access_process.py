"""Credentials of a running service: the real program, its commands and real clients."""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from certificates import Authority

from fastagi_server.calls.models import Call, CallEvent, CallStatus, CallType, EventKind
from fastagi_server.store.opening import open_store
from tests.integration.service_process import ServiceProcess, environment, process
from tests.unit.identities.token_samples import ALICE, SECRET, jwk, jwks, token


@asynccontextmanager
async def service(folder: Path, **given: str) -> AsyncGenerator[tuple[ServiceProcess, str]]:
    """The running program and the address of its API, from its own log."""
    async with process(folder, **given) as running:
        started = json.loads(await running.line("api_listening"))
        yield running, f"{started['scheme']}://{started['address']}/api/v1/voip"


async def command(folder: Path, *words: str) -> str:
    """What a command prints that runs beside the service."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fastagi_server",
        *words,
        cwd=folder,
        env=environment(folder, 0, {}),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, _ = await running.communicate()
    assert running.returncode == 0
    return output.decode()


async def test_keys_of_a_running_service(tmp_path: Path) -> None:
    """A new key is good at once, and no more within two seconds of its revocation."""
    async with (
        service(tmp_path, SGE_RATE_LIMIT_PER_MINUTE="0") as (_, address),
        httpx.AsyncClient(base_url=address) as client,
    ):
        key = (await command(tmp_path, "keys", "create", "alice")).strip()
        client.headers["X-API-Key"] = key
        assert (await client.get("/calls")).status_code == 200
        assert await command(tmp_path, "keys", "revoke", "alice") == "1 key revoked\n"
        revoked = time.monotonic()
        while (await client.get("/calls")).status_code != 401:
            assert time.monotonic() < revoked + 10


async def test_settings_of_every_proof(tmp_path: Path) -> None:
    """Tokens, passwords, HTTPS and client certificates work as the settings say."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign_server()
    own, own_key = authority.sign("reception")
    (tmp_path / "operators").write_text(
        await command(tmp_path, "operators", "hash", "olga", "--password", "correct horse")
    )
    (tmp_path / "keys.json").write_bytes(jwks(jwk("ES256", kid="k1")))
    given = {
        "SGE_JWT_SECRET": SECRET.decode(),
        "SGE_JWKS_FILE": str(tmp_path / "keys.json"),
        "SGE_JWT_ISSUER": "https://id.example",
        "SGE_OPERATORS_FILE": str(tmp_path / "operators"),
        "SGE_RATE_LIMIT_PER_MINUTE": "4",
        "FASTAGI_API_TLS_CERT_FILE": str(certificate),
        "FASTAGI_API_TLS_KEY_FILE": str(key),
        "FASTAGI_API_TLS_CLIENT_CA_FILE": str(authority.file),
        "FASTAGI_API_TLS_CLIENT_AUTH": "optional",
        "FASTAGI_API_CERTIFICATES": '{"cn:reception": "carol"}',
    }
    context = ssl.create_default_context(cafile=str(authority.file))
    async with (
        service(tmp_path, **given) as (running, address),
        httpx.AsyncClient(base_url=address, verify=context) as client,
    ):
        assert address.startswith("https://")
        claims = {**ALICE, "iss": "https://id.example"}
        for text in (token(claims), token(claims, "ES256", "k1")):
            bearer = {"Authorization": f"Bearer {text.decode()}"}
            assert (await client.get("/calls", headers=bearer)).status_code == 200
        other = {"Authorization": f"Bearer {token(ALICE).decode()}"}
        assert (await client.get("/calls", headers=other)).status_code == 401
        made = await client.post(
            "/calls", json={"participants": ["bob"], "call_type": "audio"}, headers=bearer
        )
        assert made.status_code == 201
        assert (await client.get("/calls", headers=bearer)).status_code == 200
        assert (await client.get("/calls", headers=bearer)).status_code == 429
        context.load_cert_chain(own, own_key)
        async with httpx.AsyncClient(base_url=address, verify=context) as reception:
            assert (await reception.get("/calls")).status_code == 200
        client.auth = httpx.BasicAuth("olga", "correct horse")
        deadline = time.monotonic() + 10
        records: list[dict[str, object]] = []
        while not records:
            assert time.monotonic() < deadline
            records = (await client.get("/audit")).json()["records"]
        assert [(record["identity"], record["operation"]) for record in records] == [
            ("alice", "create_call")
        ]
        assert records[0]["subject"] == made.json()["id"]
        running.process.terminate()
        assert await running.end() == 0
    assert SECRET.decode() not in running.text
    assert text.decode() not in running.text
    assert '"event":"audit"' in running.text.replace(" ", "")


async def test_settings_against_guessing_and_theft(tmp_path: Path) -> None:
    """Revoked certificates, and passwords tried from many addresses, get nobody in."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign_server()
    stolen, stolen_key = authority.sign("stolen", serial=8)
    (tmp_path / "operators").write_text(
        await command(tmp_path, "operators", "hash", "olga", "--password", "correct horse")
    )
    given = {
        "SGE_OPERATORS_FILE": str(tmp_path / "operators"),
        "SGE_ACCOUNT_FAILURES_PER_MINUTE": "2",
        "FASTAGI_API_TRUSTED_PROXIES": "127.0.0.1",
        "FASTAGI_API_TLS_CERT_FILE": str(certificate),
        "FASTAGI_API_TLS_KEY_FILE": str(key),
        "FASTAGI_API_TLS_CLIENT_CA_FILE": str(authority.file),
        "FASTAGI_API_TLS_CLIENT_CRL_FILE": str(authority.revoke(8)),
        "FASTAGI_API_TLS_CLIENT_AUTH": "optional",
    }
    context = ssl.create_default_context(cafile=str(authority.file))
    async with service(tmp_path, **given) as (running, address):
        async with httpx.AsyncClient(base_url=address, verify=context) as client:
            answers = [
                await client.get(
                    "/audit",
                    auth=("olga", "wrong"),
                    headers={"X-Forwarded-For": f"192.0.2.{number}"},
                )
                for number in range(3)
            ]
            metrics = await client.get(address.removesuffix("voip") + "metrics/prometheus")
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert 0 < int(answers[2].headers["Retry-After"]) <= 60
        assert 'sge_voip_http_limited_total{limit="account_failures"} 1' in metrics.text
        context.load_cert_chain(stolen, stolen_key)
        async with httpx.AsyncClient(base_url=address, verify=context) as thief:
            with pytest.raises(httpx.TransportError):
                await thief.get("/health/live")
        refusal = json.loads(await running.line("client_certificate_refused"))
        assert refusal["reason"] == "certificate revoked"


async def test_old_calls_are_forgotten(tmp_path: Path) -> None:
    """A call that ended before the days that the settings keep it is gone after a start."""
    kept, old = datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) - timedelta(days=4)
    (tmp_path / "state").mkdir()
    async with open_store(f"sqlite:///{tmp_path}/state/sge.sqlite3") as store:
        for name, at in (("kept", kept), ("old", old)):
            await store.calls.create(
                ended_call(name, at), CallEvent(EventKind.ENDED, at, "x", {}), None
            )
    async with (
        service(tmp_path, SGE_CALL_RETENTION_DAYS="3", SGE_API_KEY="k") as (running, address),
        httpx.AsyncClient(base_url=address, headers={"X-API-Key": "k"}) as client,
    ):
        told = json.loads(await running.line("records_forgotten"))
        assert (told["kind"], told["records"]) == ("call", 1)
        assert (await client.get("/calls/old")).status_code == 404
        assert (await client.get("/calls/kept")).status_code == 200


def ended_call(name: str, at: datetime) -> Call:
    """A call that ended then."""
    return Call(
        id=name,
        caller_id="alice",
        participants=("bob",),
        call_type=CallType.AUDIO,
        status=CallStatus.ENDED,
        start_time=at,
        answered_at=None,
        end_time=at,
        room_id=None,
        metadata={},
        updated_at=at,
    )


async def test_faults_are_told_before_the_start(tmp_path: Path) -> None:
    """What cannot be trusted keeps the program from starting, with the setting to change."""
    given = {
        "SGE_JWT_SECRET": "short",
        "SGE_OPERATORS_FILE": str(tmp_path / "missing"),
        "FASTAGI_API_CERTIFICATES": '{"reception": "carol"}',
        "FASTAGI_API_TLS_CERT_FILE": os.devnull,
        "FASTAGI_API_TLS_KEY_FILE": os.devnull,
    }
    async with process(tmp_path, **given) as running:
        assert await running.end() == 1
    for words in (
        "SGE_JWT: SGE_JWT_SECRET: the secret must have at least 32 bytes",
        "SGE_OPERATORS_FILE: ",
        "missing: No such file or directory",
        "FASTAGI_API_CERTIFICATES: 'reception' is not cn:",
        "FASTAGI_API_TLS: ",
    ):
        assert words in running.text
