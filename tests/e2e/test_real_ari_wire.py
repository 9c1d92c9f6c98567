"""The ARI wire on the real Asterisk, and the fake held to it."""

import json
from collections.abc import Iterator

import pytest
from ari_scenes import SCENES, Scene
from ari_stage import DIALPLAN, fake_stage, real_stage

from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def ari_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run one Asterisk for the tests of this module."""
    with Asterisk.start(extensions=DIALPLAN, root=lab_root) as running:
        yield running


@pytest.fixture
def pbx(ari_asterisk: Asterisk) -> Iterator[Asterisk]:
    """Return it, and afterwards leave it without a channel."""
    yield ari_asterisk
    for channel in ari_asterisk.control.channels():
        ari_asterisk.control.hang_up(channel["id"])
    for bridge in ari_asterisk.control.request("GET", "bridges"):
        ari_asterisk.control.request("DELETE", f"bridges/{bridge['id']}")
    assert ari_asterisk.wait_idle()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_fake_tells_the_same_story(pbx: Asterisk, scene: Scene) -> None:
    """Events, their order, causes and refusals are those of the real Asterisk."""
    async with real_stage(pbx) as stage:
        real = await scene(stage)
    async with fake_stage() as stage:
        fake = await scene(stage)
    assert json.dumps(fake, indent=1) == json.dumps(real, indent=1)
