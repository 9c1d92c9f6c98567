"""Rules of the tree itself, for every file that belongs to it."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastagi_server

ROOT = Path(__file__).resolve().parents[2]
MADE_FOLDERS = {"build", "dist", "var", "__pycache__"}
KEPT_HIDDEN = {".ci", ".gitignore"}

SOURCE = ("fastagi_server", "lab", "benchmarks", "agi-bin", "docs")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_ADR_LINES = 60
MAX_README_LINES = 200

# Put together so that this file does not find itself.
MACHINE_PATHS = re.compile("/" + r"(work|root|home/\w+)/")
REGISTRIES = re.compile(r"\b(pypi\.|files\.python" + r"hosted|registry\.npmjs|index-" + "url)")
INDEX_OPTION_OF_PIN = "--no-emit-index-" + "url"


def tree(folder: Path = ROOT) -> Iterator[Path]:
    """Every file that is not made by a verb and not the machine's own."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in KEPT_HIDDEN
        if hidden or path.name in MADE_FOLDERS or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from tree(path)
        else:
            yield path


FILES = list(tree())
SOURCES = [
    path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in SOURCE
]
PAGES = [path for path in FILES if path.suffix == ".md"]


def name_of(path: Path) -> str:
    """How a file is called in a test's name."""
    return path.relative_to(ROOT).as_posix()


def test_no_file_names_a_machine_or_a_registry() -> None:
    """What is in the tree works on any machine, with whatever package index that one has."""
    found = [
        f"{name_of(path)}: {match[0]}"
        for path in FILES
        for pattern in (MACHINE_PATHS, REGISTRIES)
        for match in pattern.finditer(
            path.read_text(encoding="utf-8", errors="replace").replace(INDEX_OPTION_OF_PIN, "")
        )
    ]
    assert found == []


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt", "bench.txt"])
def test_requirements_are_pinned_with_hashes(name: str) -> None:
    """Each requirement names one version and its hashes; no line is an option of pip."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    lines = [
        line
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    pinned = re.compile(
        r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+( ;.*?)? +--hash=sha256:[0-9a-f]{64}"
    )
    assert [line for line in lines if not pinned.match(line)] == []
    assert lines


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source_files_and_functions_are_short(path: Path) -> None:
    """A file is read in one sitting, a function on one screen."""
    text = path.read_text(encoding="utf-8")
    long_functions = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long_functions == []
    assert len(text.splitlines()) < MAX_FILE_LINES


def test_modules_of_tests_have_names_of_their_own() -> None:
    """Modules of tests are imported by name alone: two of one name cannot be run together."""
    paths = (ROOT / "tests").rglob("*.py")
    names = Counter(path.name for path in paths if path.name not in {"__init__.py", "conftest.py"})
    assert [name for name, count in names.items() if count > 1] == []


def test_versions_agree() -> None:
    """The package, its metadata and the changelog name the same version."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["version"] == fastagi_server.__version__
    sections = re.findall(r"(?m)^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert sections[:2] == ["Unreleased", fastagi_server.__version__]


def test_decisions_are_short_listed_and_numbered() -> None:
    """Each decision is one page, has the next number, and is in the list."""
    folder = ROOT / "docs" / "adr"
    decisions = sorted(folder.glob("[0-9]*.md"))
    contents = (folder / "README.md").read_text(encoding="utf-8")
    too_long = [p.name for p in decisions if len(p.read_text().splitlines()) > MAX_ADR_LINES]
    assert too_long == []
    assert [int(p.name[:4]) for p in decisions] == list(range(1, len(decisions) + 1))
    assert re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", contents) == [p.name for p in decisions]


def test_readme_fits_and_names_real_verbs() -> None:
    """The front page is at most 200 lines, and every `make` verb on any page exists."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"(?m)^([a-z]+):", makefile))
    named = {
        verb
        for page in PAGES
        for verb in re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text(encoding="utf-8"))
    }
    assert {"demo", "test"} <= named <= verbs
