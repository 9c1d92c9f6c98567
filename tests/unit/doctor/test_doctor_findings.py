"""Findings, and the worst of them."""

from fastagi_server.doctor.findings import Finding, Level, Report, fail, ok, rewritten, warn, worst


def test_levels() -> None:
    """The number of a level is an exit code, its word is what is printed."""
    assert [(int(level), level.word) for level in Level] == [(0, "ok"), (1, "warn"), (2, "fail")]


def test_worst() -> None:
    """One failure outweighs all that is well; no findings are no failure."""
    well, doubtful = Report("a", (ok("x", "y"),)), Report("b", (warn("x", "y", "z"), ok("x", "y")))
    bad = Report("c", (fail("x", "y", "z"),))
    assert worst([]) is Level.OK
    assert worst([well]) is Level.OK
    assert worst([doubtful, well]) is Level.WARN
    assert worst([bad, doubtful, well]) is Level.FAIL


def test_rewritten() -> None:
    """All texts are rewritten, the level is not."""
    report = Report("a", (fail("key of x", "key is bad", "echo key"),))
    assert rewritten(report, lambda text: text.replace("key", "*")) == Report(
        "a", (Finding(Level.FAIL, "* of x", "* is bad", "echo *"),)
    )
