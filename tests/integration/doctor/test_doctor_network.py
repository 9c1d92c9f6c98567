"""The doctor on names and ports, and on everything that hangs."""

import asyncio
from pathlib import Path

import pytest
from doctor_case import found, port_of, settings_of, silent_socket, told

from fastagi_server.doctor.case import Case
from fastagi_server.doctor.examination import examine, reports_of
from fastagi_server.doctor.findings import Level
from fastagi_server.service import open_service
from tests.integration.scripted_server import ScriptedServer, scripted_server


async def test_port_that_the_service_has(tmp_path: Path) -> None:
    """It answers, and says how it is."""
    async with open_service(settings_of(tmp_path)) as service:
        _, port = service.agi.addresses[0]
        settings = settings_of(tmp_path, fastagi_listen=f"127.0.0.1:{port}")
        ((level, why),) = told(await found(settings, "network"), f"AGI 127.0.0.1:{port}")
    assert level == "ok"
    assert why.endswith(" answers")


async def test_service_that_is_not_well(tmp_path: Path) -> None:
    """Its own words are told: no room for a registration."""
    async with open_service(settings_of(tmp_path)) as service:
        service.measures.sge_breaker_open.set(1.0)
        _, port = service.agi.addresses[0]
        settings = settings_of(tmp_path, fastagi_listen=f"127.0.0.1:{port}")
        ((level, why),) = told(await found(settings, "network"), f"AGI 127.0.0.1:{port}")
    assert level == "warn"
    assert why.endswith(" answers: degraded, SGE API unavailable")


async def test_nobody_listens(tmp_path: Path) -> None:
    """Neither AGI nor HTTP: the service does not run."""
    with silent_socket() as one, silent_socket() as other:
        agi, http = port_of(one), port_of(other)
    settings = settings_of(tmp_path, fastagi_listen=f"127.0.0.1:{agi}", port=http)
    findings = await found(settings, "network")
    nobody = [("fail", "nobody listens: the service does not run")]
    assert told(findings, f"AGI 127.0.0.1:{agi}") == nobody
    assert told(findings, f"HTTP 127.0.0.1:{http}") == nobody


async def test_port_that_is_taken(tmp_path: Path) -> None:
    """Who has it is named, with its process."""

    async def other_program(peer: object) -> None:
        """Close at once."""

    async with scripted_server(other_program) as server:
        settings = settings_of(tmp_path, fastagi_listen=f"127.0.0.1:{server.port}")
        ((level, why),) = told(await found(settings, "network"), f"AGI 127.0.0.1:{server.port}")
    assert level == "fail"
    assert why.startswith("taken by ")
    assert "(pid " in why


@pytest.mark.parametrize("name", ["SGE_API_URL", "ASTERISK_AMI_HOST"])
async def test_name_that_does_not_resolve(tmp_path: Path, name: str) -> None:
    """The setting that has the name is told."""
    given = {
        "SGE_API_URL": {"sge_api_url": "http://no-such-host.invalid"},
        "ASTERISK_AMI_HOST": {
            "asterisk_ami_host": "no-such-host.invalid",
            "asterisk_ami_secret": "secret",
        },
    }[name]
    ((level, why),) = told(
        await found(settings_of(tmp_path, **given), "network"), "no-such-host.invalid"
    )
    assert level == "fail"
    assert f"({name})" in why


async def test_name_that_resolves(tmp_path: Path) -> None:
    """The address is told."""
    settings = settings_of(tmp_path, sge_api_url="http://localhost:1")
    ((level, why),) = told(await found(settings, "network"), "localhost")
    assert level == "ok"
    assert why.endswith("(SGE_API_URL)")


async def test_everything_hangs(tmp_path: Path) -> None:
    """Every peer takes the connection and says nothing: each group ends, and says so."""
    with silent_socket() as listener:
        port = port_of(listener)
        url = f"http://127.0.0.1:{port}"
        settings = settings_of(
            tmp_path,
            fastagi_listen=f"127.0.0.1:{port}",
            sge_api_url=url,
            sge_api_key="top-secret-key",
            asterisk_ari_url=url,
            asterisk_ari_password="top-secret-word",
            asterisk_ami_host="127.0.0.1",
            asterisk_ami_port=port,
            asterisk_ami_secret="top-secret-too",
        )
        async with asyncio.timeout(15):
            reports = {report.group: report for report in await reports_of(Case(settings))}
    for group in ("network", "sge", "ari", "ami"):
        assert Level.FAIL in {finding.level for finding in reports[group].findings}, group
    for group in ("dialplan", "media", "clocks"):
        assert {finding.level for finding in reports[group].findings} == {Level.WARN}, group
    assert "top-secret" not in repr(reports)


async def test_a_group_past_its_deadline(tmp_path: Path) -> None:
    """What was found until then counts, and the rest is said to be missing."""
    with silent_socket() as listener:
        url = f"http://127.0.0.1:{port_of(listener)}"
        findings = await found(
            settings_of(tmp_path, sge_api_url=url, sge_jwt_token="x"), "sge", seconds=0.05
        )
    assert [finding.subject for finding in findings] == ["JWT", "sge"]
    assert findings[1].why == "no end of it in 0.05 s; what follows was not looked at"


def test_from_outside_of_a_loop(tmp_path: Path) -> None:
    """As the command does it, with threads that nobody waits for."""
    (report,) = examine(Case(settings_of(tmp_path)), ["configuration"])
    assert report.group == "configuration"
    assert [finding.level for finding in report.findings] == [Level.OK]


async def test_faults_of_the_settings(tmp_path: Path) -> None:
    """What `check` would say, but for addresses that the service itself has."""

    async def other_program(peer: object) -> None:
        """Close at once."""

    server: ScriptedServer
    async with scripted_server(other_program) as server:
        settings = settings_of(
            tmp_path,
            fastagi_listen=f"127.0.0.1:{server.port}",
            fastagi_on_error={"register": "explode"},
            sge_api_url="http://127.0.0.1:1",
        )
        findings = await found(settings, "configuration")
    assert [(f.level.word, f.subject) for f in findings] == [
        ("fail", "FASTAGI_ON_ERROR"),
        ("warn", "settings"),
    ]


async def test_secrets_are_masked_in_whatever_is_said(tmp_path: Path) -> None:
    """A secret in somebody's words is seen by nobody."""
    name = "hidden-name"
    settings = settings_of(tmp_path, sge_api_url=f"http://{name}.invalid", sge_api_key=name)
    findings = await found(settings, "network")
    assert findings[0].subject == "********.invalid"
    assert name not in repr(findings)
