"""Packages of npm as a script for a page, and the figures of the set-up times."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.browser_setup import PEER
from benchmarks.page_modules import page_script
from benchmarks.processes import BenchmarkError


def write_package(folder: Path, name: str, fields: dict[str, object], **files: str) -> None:
    """Write a package with these files, a module each."""
    (folder / name / "lib").mkdir(parents=True)
    (folder / name / "package.json").write_text(json.dumps({"name": name, **fields}))
    for file, text in files.items():
        (folder / name / "lib" / f"{file}.js").write_text(text)


def test_modules_find_each_other(tmp_path: Path) -> None:
    """Modules, data, folders, packages and circles are resolved as in Node."""
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    write_package(
        tmp_path,
        "phone",
        {"main": "./lib", "version": "7"},
        index="exports.ring = () => require('bell').loud + require('./number').it;",
        number="const whole = require('./index'); const { version } = require('../package.json');"
        "exports.it = typeof whole.ring + version;",
    )
    write_package(
        tmp_path,
        "bell",
        {"main": "lib/no.js", "browser": "lib/page.js"},
        page="module.exports = { loud: 'ding ' };",
    )
    script = page_script(tmp_path, "phone", "Phone")
    code = f"globalThis.window = {{}};{script};process.stdout.write(window.Phone.ring())"
    done = subprocess.run(
        ["node", "-e", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout == "ding function7"


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    """The error names what is missing."""
    with pytest.raises(BenchmarkError, match="phone is not installed"):
        page_script(tmp_path, "phone", "Phone")
    write_package(tmp_path, "phone", {"main": "./lib"}, index="require('./number')")
    with pytest.raises(BenchmarkError, match=r"there is no module .*number"):
        page_script(tmp_path, "phone", "Phone")


def test_the_peer_is_pinned() -> None:
    """Each package of the peer is pinned by version and digest, and by no address."""
    lock = (PEER / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    assert sorted(packages) == [
        "",
        "node_modules/debug",
        "node_modules/events",
        "node_modules/jssip",
        "node_modules/ms",
        "node_modules/sdp-transform",
    ]
    assert all(each["integrity"].startswith("sha512-") for name, each in packages.items() if name)
    assert "://" not in lock
