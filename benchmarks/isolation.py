"""The benchmark's own virtual environment, so that peers never touch the product's."""

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-bench"
INSTALL_SECONDS = 600.0

_REQUIREMENTS = (
    ROOT / "requirements" / "runtime.txt",
    ROOT / "requirements" / "bench.txt",
)


def enter_environment(arguments: Sequence[str]) -> None:
    """Go on in the benchmark's environment: replaces this process unless it is there already.

    The environment is made, or made anew when the requirements have changed. Raises
    `subprocess.CalledProcessError` when that fails.
    """
    if Path(sys.prefix) == ENVIRONMENT:
        return
    python = ENVIRONMENT / "bin" / "python"
    _prepare(python)
    os.chdir(ROOT)
    os.execv(python, [str(python), "-m", "benchmarks", *arguments])  # noqa: S606 - our own program


def _prepare(python: Path) -> None:
    stamp = ENVIRONMENT / "requirements.sha256"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in _REQUIREMENTS)).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print("installing the peers", file=sys.stderr, flush=True)
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    files = [word for path in _REQUIREMENTS for word in ("-r", str(path))]
    subprocess.run(
        # byte code is compiled even where the shell's settings are against it: starts are measured
        [str(python), "-m", "pip", "install", "-q", "--compile", "--require-hashes", *files],
        check=True,
        timeout=INSTALL_SECONDS,
    )
    stamp.write_text(wanted)
