"""The doctor and peers that are not what they seem: another web server, a systemctl, a bad look."""

from pathlib import Path

import pytest
from doctor_case import found, settings_of, told

from fastagi_server.doctor import host
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.examination import GROUPS
from fastagi_server.doctor.findings import Findings
from tests.integration.scripted_server import always, answer, scripted_server


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>", "does not answer as Asterisk does: "),
        (200, b"[]", "does not answer as Asterisk does: "),
        (403, b"{}", "403: sky-genesis may not look"),
        (500, b"{}", "answers 500"),
    ],
)
async def test_another_web_server(tmp_path: Path, status: int, body: bytes, words: str) -> None:
    """What answers in ARI's place is told from it."""
    async with scripted_server(always(answer(body, status))) as server:
        settings = settings_of(
            tmp_path,
            asterisk_ari_url=f"http://127.0.0.1:{server.port}",
            asterisk_ari_password="secret",
        )
        ((level, why),) = told(await found(settings, "ari"), "ARI")
    assert (level, why.startswith(words)) == ("fail", True)


async def test_no_ari(tmp_path: Path) -> None:
    """A service that only answers AGI needs none."""
    findings = await found(settings_of(tmp_path), "ari")
    assert told(findings, "ARI") == [("ok", "not configured: the dialplan leads all calls")]


async def test_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where systemd runs the machine, it is asked for our unit."""
    program = tmp_path / "systemctl"
    program.write_text(
        "#!/bin/sh\necho LoadState=loaded\necho ActiveState=failed\necho Result=oom\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(host, "BOOTED", tmp_path)
    findings = await found(settings_of(tmp_path), "host")
    assert told(findings, "systemd") == [("fail", "fastagi-server.service has failed: oom")]


async def test_log_folder(tmp_path: Path) -> None:
    """Room for the log is looked at where it is another folder, made or not."""
    settings = settings_of(tmp_path / "state", fastagi_log_file=tmp_path / "logs" / "api.log")
    (tmp_path / "logs").mkdir()
    subjects = [finding.subject for finding in await found(settings, "host")]
    assert subjects == ["systemd", "open files", f"disk {tmp_path}", f"disk {tmp_path}/logs"]


async def test_a_look_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the doctor's own is said in its group, without the text of the error."""

    async def look(_case: Case) -> Findings:
        raise KeyError("password=hunter2")
        yield

    monkeypatch.setitem(GROUPS, "clocks", look)
    assert told(await found(settings_of(tmp_path), "clocks"), "clocks") == [
        ("fail", "the doctor itself failed: KeyError")
    ]
