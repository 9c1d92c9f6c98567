"""Packages of npm as one script for a page, where CommonJS has no meaning."""

import json
import re
from pathlib import Path

from benchmarks.processes import BenchmarkError

_REQUIRE = re.compile(r"""\brequire\(\s*["']([^"']+)["']\s*\)""")

_LOADER = """
(() => {
  const modules = {%s};
  const places = %s;
  const loaded = {};
  function load(name) {
    if (!loaded[name]) {
      const module = (loaded[name] = { exports: {} });
      modules[name]((wanted) => load(places[name][wanted]), module, module.exports);
    }
    return loaded[name].exports;
  }
  window[%s] = load(%s);
})();
"""


def page_script(folder: Path, package: str, name: str) -> str:
    """Return a script that leaves what `package` exports in `window[name]`.

    `folder` is the one of node_modules. Raises BenchmarkError for a module that is not there.
    """
    entry = _package_entry(folder, package)
    waiting, sources, places = [entry], dict[Path, str](), dict[str, dict[str, str]]()
    while waiting:
        module = waiting.pop()
        if module in sources:
            continue
        text = module.read_text()
        is_data = module.suffix == ".json"
        sources[module] = f"module.exports = {text}" if is_data else text
        wanted = [] if is_data else _REQUIRE.findall(text)
        found = {each: _resolve(folder, module, each) for each in wanted}
        places[str(module)] = {each: str(path) for each, path in found.items()}
        waiting += found.values()
    functions = ",\n".join(
        f"{json.dumps(str(path))}: (require, module, exports) => {{\n{text}\n}}"
        for path, text in sources.items()
    )
    return _LOADER % (functions, json.dumps(places), json.dumps(name), json.dumps(str(entry)))


def _resolve(folder: Path, module: Path, wanted: str) -> Path:
    if not wanted.startswith("."):
        return _package_entry(folder, wanted)
    return _file(module.parent / wanted)


def _package_entry(folder: Path, package: str) -> Path:
    description = folder / package / "package.json"
    if not description.is_file():
        raise BenchmarkError(f"{package} is not installed in {folder}")
    fields = json.loads(description.read_text())
    browser = fields.get("browser")
    return _file(folder / package / (browser if isinstance(browser, str) else fields["main"]))


def _file(path: Path) -> Path:
    for each in (path, path.with_name(f"{path.name}.js"), path / "index.js"):
        if each.is_file():
            return each.resolve()
    raise BenchmarkError(f"there is no module {path}")
