"""The doctor as an operator calls it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastagi_server.cli import main


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with nothing wrong, from the environment alone."""
    for name in ("FASTAGI_CONFIG", "SGE_API_URL", "SGE_JWT_TOKEN", "FASTAGI_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FASTAGI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("FASTAGI_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("PORT", "0")
    monkeypatch.chdir(tmp_path)


def run(*words: str, colour: bool = False) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["doctor", *words], color=colour)


def test_all_is_well() -> None:
    """Groups in bold where there is a terminal, aligned lines, a sum, and exit code 0."""
    result = run("configuration", "network", "certificates")
    assert result.output.splitlines() == [
        "configuration",
        "  ok    settings         nothing is wrong with them; file: none",
        "network",
        "  ok    DNS              no name has to be looked up",
        "  ok    AGI 127.0.0.1:0  the system chooses the port",
        "certificates",
        "  ok    certificates     none are used",
        "",
        "4 ok, 0 warn, 0 fail",
    ]
    assert result.exit_code == 0


def test_words_that_would_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from outside is shown as it is, without its power over the terminal."""
    monkeypatch.setenv("SGE_JWT_TOKEN_FILE", "token\x1b[2J")
    monkeypatch.setenv("SGE_API_URL", "http://127.0.0.1:1")
    output = run("sge", colour=True).output
    assert "token\N{REPLACEMENT CHARACTER}[2J cannot be read" in output
    assert "\x1b[2J" not in output


def test_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What should be looked at has its command below it; exit code 1."""
    monkeypatch.setenv("SGE_API_URL", "http://127.0.0.1:1")
    result = run("configuration")
    why = "SGE_API_URL names a remote API, but there is no SGE_JWT_TOKEN or SGE_API_KEY"
    assert result.output.splitlines() == [
        "configuration",
        f"  warn  settings  {why}",
        "                  fix: fastagi-server check",
        "",
        "0 ok, 1 warn, 0 fail",
    ]
    assert result.exit_code == 1


def test_faults_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """For programs: one object; exit code 2."""
    monkeypatch.setenv("FASTAGI_ON_ERROR", '{"register": "explode"}')
    result = run("--json", "configuration")
    document = json.loads(result.output)
    assert (document["level"], result.exit_code) == ("fail", 2)
    (finding,) = document["findings"]
    assert finding["group"] == "configuration"
    assert finding["level"] == "fail"
    assert finding["subject"] == "FASTAGI_ON_ERROR"
    assert finding["fix"] == "fastagi-server check"


def test_settings_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings nothing else can be looked at."""
    monkeypatch.setenv("FASTAGI_WORKERS", "none")
    result = run()
    assert result.exit_code == 2
    assert result.output.splitlines()[1].startswith("  fail  settings  FASTAGI_WORKERS: ")


def test_colours() -> None:
    """Only on a terminal."""
    assert "\x1b[" not in run("certificates").output
    assert "\x1b[32mok" in run("certificates", colour=True).output


def test_choice_of_groups() -> None:
    """Those that are named and not left out; others are told."""
    output = run("network", "certificates", "--skip", "network").output
    assert output.splitlines()[0] == "certificates"
    unknown = run("astrology")
    assert unknown.exit_code == 2
    assert "there is no group 'astrology'; there are configuration, network" in unknown.output
