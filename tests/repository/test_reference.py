"""The reference pages are those that the code would write now."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.reference.generate import FOLDER, PAGES

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = FOLDER / "variables.md"
EXAMPLES = {"SGE_OPEN"}
"""Variables that only docstrings name."""


@pytest.mark.parametrize(("name", "render"), PAGES.items())
def test_a_page_is_current(name: str, render: Callable[[], str]) -> None:
    """A page that is stale is written anew by `make docs`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == render()


def test_every_page_is_written_or_known_to_be_by_hand() -> None:
    """No page of the reference is left behind when its function goes."""
    assert {path.name for path in FOLDER.glob("*.md")} == {*PAGES, "variables.md"}


def test_every_variable_of_the_routes_is_on_the_page() -> None:
    """Each channel variable that the server sets or reads is explained."""
    package = ROOT / "fastagi_server"
    sources = [*(package / "routes").glob("*.py"), *(package / "fastagi").glob("*.py")]
    used = _names(sources, r"\b(SGE_[A-Z_]+|[A-Z]+TIME_MS|DIALSTATUS|HANGUPCAUSE)\b")
    assert used - EXAMPLES - _explained() == set()


def test_every_variable_of_the_dialplan_is_on_the_page() -> None:
    """Each variable and global of the shipped dialplan is explained."""
    used = _names([ROOT / "dialplan" / "extensions.conf"], r"\b(SGE_[A-Z_]+)\b")
    assert used - _explained() == set()


def test_no_variable_on_the_page_is_unknown() -> None:
    """The page explains nothing that neither the server nor the dialplan has."""
    sources = [*(ROOT / "fastagi_server").rglob("*.py"), *(ROOT / "dialplan").glob("*.conf")]
    explained = {name for name in _explained() if name.startswith("SGE_")}
    assert explained - _names(sources, r"\b(SGE_[A-Z_]+)\b") == set()


def _explained() -> set[str]:
    rows = re.findall(r"(?m)^\| (`[^|]+`) \|", VARIABLES.read_text(encoding="utf-8"))
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


def _names(paths: list[Path], pattern: str) -> set[str]:
    return {
        name for path in paths for name in re.findall(pattern, path.read_text(encoding="utf-8"))
    }
