"""A gateway for each test."""

import pytest
from gateway_stage import Stage


@pytest.fixture
async def stage() -> Stage:
    """A gateway among doubles."""
    return Stage()
