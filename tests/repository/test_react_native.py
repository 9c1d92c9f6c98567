"""The example for React Native fits the real types of react-native-webrtc."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from lab import programs

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path("examples/react-native")
LIBRARY = Path("fastagi_server/web/client")
INSTALL_SECONDS = 45


def cannot(reason: str) -> NoReturn:
    """Skip, saying why, what cannot run here; on CI fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_the_example_fits_the_real_types(tmp_path: Path) -> None:
    """With the pinned packages installed, TypeScript finds nothing wrong with the example."""
    if reason := programs.why_not("npm"):
        cannot(reason)
    for folder in (EXAMPLE, LIBRARY):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules")
        )
    folder = tmp_path / EXAMPLE
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if installed.returncode != 0:
        cannot(f"the packages cannot be installed: {installed.stderr}")
    checked = subprocess.run(
        [folder / "node_modules" / ".bin" / "tsc", "--noEmit"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert checked.stdout == ""
    assert checked.returncode == 0


def test_packages_are_pinned_without_their_registry() -> None:
    """Every package has one version and its hash, and comes from whatever registry there is."""
    lock = json.loads((ROOT / EXAMPLE / "package-lock.json").read_text(encoding="utf-8"))
    packages = {
        name: package
        for name, package in lock["packages"].items()
        if name.startswith("node_modules/") and not package.get("link")
    }
    assert "node_modules/react-native-webrtc" in packages
    assert [name for name, package in packages.items() if "integrity" not in package] == []
    resolved = [package["resolved"] for package in packages.values() if "resolved" in package]
    assert resolved == []
