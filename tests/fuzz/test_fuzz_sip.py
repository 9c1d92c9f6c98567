"""The fuzz target runs and finds nothing: for a minute on CI, for a moment elsewhere."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TARGET = Path(__file__).parent / "fuzz_sip.py"
SECONDS = 60 if os.environ.get("CI") == "true" else 5
FEWEST_RUNS = 100
"""Far below what any machine does; less means that the target did not get to work."""


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_fuzzing_the_sip_syntax_finds_nothing(tmp_path: Path) -> None:
    """No bytes of a peer, cut in any way, raise an error, are told differently, or change."""
    done = subprocess.run(
        [
            sys.executable,
            str(TARGET),
            f"-max_total_time={SECONDS}",
            f"-artifact_prefix={tmp_path}/",
        ],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert runs is not None, done.stderr[-4000:]
    assert int(runs[1]) > FEWEST_RUNS
    assert list(tmp_path.iterdir()) == []
