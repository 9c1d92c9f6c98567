"""What the documents say can be done, can be done."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from fastagi_server.cli import main as command_line
from fastagi_server.fastagi.endings import TEXTS
from fastagi_server.registration.codes import MEANINGS
from fastagi_server.routes import ROUTES
from fastagi_server.settings import CONFIG_FILE_VARIABLE, Settings, load_settings
from fastagi_server.telemetry.measures import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for folder in (".", "docs", "dialplan", "benchmarks")
    for path in (ROOT / folder).glob("**/*.md" if folder == "docs" else "*.md")
)
BY_HAND = [page for page in PAGES if "Written by `make" not in page.read_text(encoding="utf-8")]
LAB_VARIABLE = "FASTAGI_LAB_DIR"
ROUTE_OF_THE_TUTORIAL = "blocked"
INVENTED_ROUTES = {ROUTE_OF_THE_TUTORIAL, "prompt", "slow", "script", "<route>"}


def name_of(path: Path) -> str:
    """How a page is called in a test's name."""
    return path.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file, and every anchor a heading of it."""
    broken = [link for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)) if _broken(page, link)]
    assert broken == []


def _broken(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    file, _, anchor = unquote(link).partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.exists():
        return True
    return bool(anchor) and anchor not in _anchors(text_of(target))


def _anchors(text: str) -> set[str]:
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"(?m)^#+ (.+)$", text)
    }


def test_every_page_can_be_reached() -> None:
    """From the front page, by links, one reaches every page of docs/."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s:#]+)(?:#[^)]*)?\)", text_of(page))
        waiting += [(page.parent / link).resolve() for link in links]
    assert [name_of(page) for page in PAGES if page not in reached and page.parent != ROOT] == []


@pytest.mark.parametrize("page", BY_HAND, ids=name_of)
def test_settings_on_a_page_exist(page: Path) -> None:
    """Every setting that a page names is one, in the environment's form or in TOML's."""
    named = set(re.findall(r"\bFASTAGI_[A-Z_]+\b", text_of(page)))
    named |= {word.upper() for word in re.findall(r"(?m)^#?((?:fastagi|sge)_\w+) =", text_of(page))}
    known = {name.upper() for name in Settings.model_fields}
    assert named - known - {CONFIG_FILE_VARIABLE, LAB_VARIABLE} == set()


@pytest.mark.parametrize("page", BY_HAND, ids=name_of)
def test_commands_on_a_page_exist(page: Path) -> None:
    """Every `fastagi-server WORD` that a page names is a command."""
    named = re.findall(r"(?<![/\w])fastagi-server ((?:outbox )?[a-z]+)\b(?!\.)", text_of(page))
    assert [words for words in named if not _is_command(words.split())] == []


def _is_command(words: list[str]) -> bool:
    command: click.Command | None = command_line
    for word in words:
        command = command.commands.get(word) if isinstance(command, click.Group) else None
    return command is not None


@pytest.mark.parametrize("page", BY_HAND, ids=name_of)
def test_measures_on_a_page_exist(page: Path) -> None:
    """Every measure that a page names is in the table, with the labels that it names."""
    known = {row.name: set(row.labels) for row in TABLE}
    for name, labels in re.findall(r"\bsge_voip_(\w+)(\{[^}]*\})?", text_of(page)):
        measure = re.sub(r"_bucket$", "", f"sge_voip_{name}")
        assert set(re.findall(r"(\w+)(?:=|,|\})", labels)) <= known[measure]


@pytest.mark.parametrize("page", BY_HAND, ids=name_of)
def test_routes_on_a_page_exist(page: Path) -> None:
    """Every AGI address on a page names a route and parameters that it has."""
    addresses = re.findall(r"agi://[\w.\[\]:]+/([\w/<>]+)(?:\?([^\s'`,)]*))?", text_of(page))
    _check_addresses(addresses)


def test_the_dialplan_asks_for_what_there_is() -> None:
    """Every address in the shipped dialplan names a route and parameters that it has."""
    text = text_of(ROOT / "dialplan" / "extensions.conf")
    addresses = re.findall(r"\$\{SGE_AGI\}/(\w+)(?:\?(\S*))?", text)
    assert {path for path, _ in addresses} == {"register", "accept", "end"}
    _check_addresses(addresses)


def _check_addresses(addresses: list[tuple[str, str]]) -> None:
    parameters = {route.path: {p.name for p in route.parameters} for route in ROUTES}
    for path, query in addresses:
        if path not in INVENTED_ROUTES:
            asked = set(re.findall(r"(?:^|&)(\w+)=", query))
            assert asked <= parameters[path]


def test_the_failure_table_knows_every_code_of_the_api() -> None:
    """The table of failures has each code for a failing API, each code of a session, no other."""
    table = text_of(ROOT / "docs" / "explanation" / "failures.md")
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", table))
    assert {code for code in MEANINGS if code.startswith("api_")} - words == set()
    assert set(TEXTS) - {"draining"} - words == set()
    assert {word for word in words if word.startswith("api_")} - set(MEANINGS) == set()


@pytest.mark.parametrize("name", ["environment", "config.toml"])
def test_samples_can_be_used_as_they_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample with every comment sign removed holds settings only, and loads."""
    text = text_of(ROOT / "systemd" / name)
    enabled = re.sub(r"(?m)^#(?=\S)", "", text)
    names = re.findall(
        r"(?m)^(\w+) ?=", enabled.partition("[")[0] if name == "environment" else enabled
    )
    fields = {field.upper() for field in Settings.model_fields}
    routes = {route.path for route in ROUTES}
    assert [word for word in names if word.upper() not in fields and word not in routes] == []
    if name == "config.toml":
        path = tmp_path / name
        path.write_text(enabled, encoding="utf-8")
        monkeypatch.setenv(CONFIG_FILE_VARIABLE, str(path))
        assert load_settings().fastagi_system_name == "pbx1"


def test_the_unit_starts_a_command_that_exists() -> None:
    """The service sample runs a real command, under a user of its own, signalled at the parent."""
    unit = text_of(ROOT / "systemd" / "fastagi-server.service")
    settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", unit))
    assert settings["ExecStart"] == "/opt/fastagi-server/bin/fastagi-server run"
    assert settings["User"] == "fastagi"
    assert settings["KillMode"] == "mixed"
    drain = Settings.model_fields["fastagi_drain_seconds"].default
    assert int(settings["TimeoutStopSec"]) > drain + 10


def test_the_tutorial_route_and_its_test_work(tmp_path: Path) -> None:
    """The route of the tutorial passes the test of the tutorial, as both are printed."""
    tutorial = text_of(ROOT / "docs" / "tutorial" / "own-route.md")
    blocks = re.findall(r"(?<!<!-- not run -->\n)```python\n(.*?)```", tutorial, re.DOTALL)
    route, test = blocks
    (tmp_path / f"{ROUTE_OF_THE_TUTORIAL}.py").write_text(route, encoding="utf-8")
    module = f"fastagi_server.routes.{ROUTE_OF_THE_TUTORIAL}"
    assert module in test
    test_file = tmp_path / "test_tutorial_route.py"
    test_file.write_text(test.replace(module, ROUTE_OF_THE_TUTORIAL), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"),
            *("--rootdir", str(tmp_path), "-o", f"pythonpath={tmp_path}", str(test_file)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
