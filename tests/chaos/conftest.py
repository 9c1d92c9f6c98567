"""The real Asterisk of the chaos test."""

import os

import pytest

from lab.root import Root


@pytest.fixture(scope="session")
def lab_root() -> Root:
    """Return the lab's root; without one skip, saying why, and on CI fail."""
    root = Root.default()
    reason = root.why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return root
