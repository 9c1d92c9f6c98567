"""The MIB file: written from the table, and good for the programs that read MIBs."""

import os
import subprocess
from pathlib import Path

import pytest

from fastagi_server.snmp.mib import mib
from lab import programs

FILE = Path(__file__).parents[3] / "snmp" / "SGE-VOIP-MIB.txt"


@pytest.fixture
def standard() -> Path:
    """The standard modules; without them or smilint skip, saying why, and on CI fail."""
    reason = programs.why_not("smilint", "snmpget") or programs.why_no_mibs()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return programs.mib_folder()


def test_file_is_as_the_table_says() -> None:
    """The shipped file is what `python -m fastagi_server.snmp.mib` writes."""
    assert FILE.read_text() == mib()


def test_smilint_accepts_it(standard: Path, tmp_path: Path) -> None:
    """Smilint finds no error in it, and warns of nothing but what the documented OIDs ask for."""
    configuration = tmp_path / "smi.conf"
    configuration.write_text(f"path {standard}\n")
    done = subprocess.run(
        ["smilint", "-c", configuration, "-s", "-l", "6", FILE],
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).splitlines()
    expected = ("warning: implicit node definition", "is not reverse mappable")
    assert [line for line in said if not line.endswith(expected)] == []
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("name", "oid"),
    [
        ("voipActiveCalls.1", "1.1.1"),
        ("voipMeanOpinionScore.1", "1.9.1"),
        ("voipServiceDown", "2.1.9"),
    ],
)
def test_net_snmp_reads_it(standard: Path, tmp_path: Path, name: str, oid: str) -> None:
    """Net-SNMP's programs know the objects by their names."""
    done = subprocess.run(
        ["snmptranslate", "-M", standard, "-m", FILE, "-On", f"SGE-VOIP-MIB::{name}"],
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f".1.3.6.1.4.1.8072.1.3.2.3.2.{oid}"
