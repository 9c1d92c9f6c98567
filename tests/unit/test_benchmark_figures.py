"""The benchmark's arithmetic and its report; what it measures is no business of a test."""

from pathlib import Path

import pytest

from benchmarks.load import Load, generate, median, ratio
from benchmarks.processes import BenchmarkError, environment
from benchmarks.report import Bar, Section, markdown, terminal

SECTION = Section(
    "Jobs",
    ("server", "CPU"),
    (("ours", "100"), ("another one", "9")),
    "A note.",
    (Bar("CPU", "at most 0.45", "0.40", met=True), Bar("p99", "at most 0.5", "0.61", met=False)),
)


def load(cpu: float, longest: float = 1.0, errors: int = 0) -> Load:
    """A run of ten calls."""
    return Load(10, 100.0, cpu, 1.0, 2.0, longest, errors)


def tool(folder: Path, script: str) -> Path:
    """A load generator that does what the shell script says."""
    path = folder / "agiload"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_median_takes_the_middle_run() -> None:
    """One disturbed round does not move the figure."""
    assert median([load(100.0), load(900.0), load(120.0)]).cpu == 120.0


def test_median_hides_neither_errors_nor_the_worst_latency() -> None:
    """Errors add up, and the longest call of all rounds is told."""
    together = median([load(1.0, longest=5.0, errors=1), load(1.0, longest=70.0, errors=2)])
    assert (together.calls, together.longest, together.errors) == (20, 70.0, 3)


def test_ratio_compares_within_each_round() -> None:
    """A machine that was slow for both in one round does not change the ratio."""
    assert ratio([50.0, 500.0, 55.0], [100.0, 1000.0, 100.0]) == 0.5


def test_ratio_refuses_rounds_that_do_not_match() -> None:
    """A missing round is an error, not another figure."""
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_figures_are_read_from_the_generator(tmp_path: Path) -> None:
    """The generator's JSON becomes a Load, with its exit code left aside."""
    answer = (
        '{"sessions":5,"sps":10.5,"cpu_us_per":99.0,"p50_us":1,"p99_us":2,"max_us":3,"errors":1}'
    )
    figures = generate(tool(tmp_path, f"echo '{answer}'; exit 1"), [])
    assert figures == Load(5, 10.5, 99.0, 1, 2, 3, 1)


def test_a_generator_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    """Its own words are in the error."""
    with pytest.raises(BenchmarkError, match="bind: in use"):
        generate(tool(tmp_path, "echo 'bind: in use' >&2; exit 2"), [])


def test_children_do_not_inherit_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the shell that changes figures stays outside."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PATH", "/bin")
    given = environment({"SGE_API_URL": "http://127.0.0.1:1"})
    assert "PYTHONDONTWRITEBYTECODE" not in given
    assert (given["PATH"], given["SGE_API_URL"]) == ("/bin", "http://127.0.0.1:1")


def test_terminal_lines_up_columns() -> None:
    """Names to the left, figures to the right, each bar with its verdict."""
    assert terminal(SECTION).splitlines() == [
        "== Jobs",
        "   server       CPU",
        "   ours         100",
        "   another one    9",
        "   met: CPU: 0.40 (at most 0.45)",
        "   NOT MET: p99: 0.61 (at most 0.5)",
    ]


def test_report_begins_with_the_bars() -> None:
    """The Markdown report: bars with verdicts, then the tables, then the machine."""
    text = markdown([("cores", "2")], [SECTION])
    assert "| CPU | at most 0.45 | 0.40 | met |\n| p99 | at most 0.5 | 0.61 | NOT MET |" in text
    assert text.index("## Bars") < text.index("## Jobs") < text.index("## Machine")
    assert "A note.\n\n| server | CPU |\n| --- | ---: |\n| ours | 100 |" in text
    assert text.endswith("| cores | 2 |\n")
