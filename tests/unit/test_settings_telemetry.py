"""The settings of lines, reports and traces; and every secret, gathered for what masks them."""

from pathlib import Path
from typing import Any

import pytest

from fastagi_server.checking import describe_settings, find_doubts, find_faults
from fastagi_server.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to run in, and an environment with nothing of ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def settings(folder: Path, **given: Any) -> Settings:
    """Settings with nothing wrong, but for what is given."""
    values = {"fastagi_listen": "127.0.0.1:0", "port": 0, "fastagi_state_dir": folder}
    return load_settings(**values, **given)


def test_defaults(tmp_path: Path) -> None:
    """Personal data is masked, and nothing leaves the machine."""
    given = settings(tmp_path)
    assert given.fastagi_log_personal_data == "mask"
    assert given.fastagi_log_file is None
    assert given.sentry_dsn.get_secret_value() == ""
    assert given.otel_exporter_otlp_endpoint == ""
    assert given.secret_values == ()


@pytest.mark.parametrize(
    "dsn", ["", "https://abc@o1.ingest.sentry.io/42", "http://abc:def@sentry:9000/prefix/7"]
)
def test_good_dsn(tmp_path: Path, dsn: str) -> None:
    """As Sentry shows it."""
    assert settings(tmp_path, sentry_dsn=dsn).sentry_dsn.get_secret_value() == dsn


@pytest.mark.parametrize(
    "dsn", ["sentry.io", "https://sentry.io/42", "ftp://abc@host/42", "https://abc@host/name"]
)
def test_bad_dsn(tmp_path: Path, dsn: str) -> None:
    """The fault names the setting and the form, and does not repeat the value."""
    with pytest.raises(SettingsError, match=r"^SENTRY_DSN: .*KEY@HOST/PROJECT") as caught:
        settings(tmp_path, sentry_dsn=dsn)
    assert dsn not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("otel_exporter_otlp_endpoint", "127.0.0.1:4318"),
        ("sentry_sample_rate", 1.5),
        ("fastagi_trace_ratio", -0.1),
        ("fastagi_log_personal_data", "hide"),
    ],
)
def test_bad_values(tmp_path: Path, name: str, value: object) -> None:
    """What is out of range or no address is refused at the start."""
    with pytest.raises(SettingsError, match=name.upper()):
        settings(tmp_path, **{name: value})


def test_every_secret(tmp_path: Path) -> None:
    """Values, files, passwords in URLs as written and as meant, the key of a DSN, each header."""
    file = tmp_path / "key"
    file.write_text("api-key-in-a-file\n")
    given = settings(
        tmp_path,
        sge_api_key_file=file,
        fastagi_secret="agi-secret",
        fastagi_database_url="postgresql://user:p%40ss@db/calls",
        sentry_dsn="https://publickey@host/42",
        otel_exporter_otlp_headers="a=first, b=second",
    )
    assert set(given.secret_values) >= {
        "api-key-in-a-file",
        "agi-secret",
        "p%40ss",
        "p@ss",
        "https://publickey@host/42",
        "publickey",
        "first",
        "second",
    }
    assert "" not in given.secret_values
    assert "user" not in given.secret_values


def test_secrets_are_not_described(tmp_path: Path) -> None:
    """`check` shows that they are set, and no more."""
    given = settings(tmp_path, sentry_dsn="https://key@h/4", otel_exporter_otlp_headers="a=b")
    lines = list(describe_settings(given))
    assert "SENTRY_DSN=********" in lines
    assert "OTEL_EXPORTER_OTLP_HEADERS=********" in lines


def test_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces without their extra, and headers that are none, stop the start."""
    monkeypatch.setattr("fastagi_server.checking.is_tracing_installed", lambda: False)
    given = settings(
        tmp_path,
        otel_exporter_otlp_endpoint="http://127.0.0.1:4318",
        otel_exporter_otlp_headers="abc",
    )
    assert find_faults(given) == [
        "OTEL_EXPORTER_OTLP_ENDPOINT: traces need the extra: pip install 'fastagi-server[tracing]'",
        "OTEL_EXPORTER_OTLP_HEADERS: headers are name=value, with commas between them",
    ]


def test_a_log_file_that_cannot_be(tmp_path: Path) -> None:
    """A doubt and no fault: lines go to standard error, and calls go on."""
    missing = settings(tmp_path, fastagi_log_file=tmp_path / "missing" / "api.log")
    folder = settings(tmp_path, fastagi_log_file=tmp_path)
    good = settings(tmp_path, fastagi_log_file=tmp_path / "api.log")
    assert find_faults(missing) == find_faults(folder) == []
    assert [doubt.partition(":")[0] for doubt in find_doubts(missing)] == ["FASTAGI_LOG_FILE"]
    assert [doubt.partition(":")[0] for doubt in find_doubts(folder)] == ["FASTAGI_LOG_FILE"]
    assert find_doubts(good) == []


def test_a_log_file_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said too; root may write everywhere, so the answer of the system is put in."""
    given = settings(tmp_path, fastagi_log_file=tmp_path / "api.log")

    def refuse(_path: Path, _mode: int) -> bool:
        return False

    monkeypatch.setattr("os.access", refuse)
    doubts = find_doubts(given)
    assert f"FASTAGI_LOG_FILE: {tmp_path / 'api.log'} is not writable" in doubts
