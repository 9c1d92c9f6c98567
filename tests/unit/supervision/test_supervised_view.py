"""Who says which calls have lost their channel: supervision while it sees, else ARI."""

from collections.abc import Sequence

import pytest
from watched import RUN, Scene

from fastagi_server.calls.models import Call
from fastagi_server.settings import load_settings
from fastagi_server.supervising import make_watch
from fastagi_server.supervision.view import SupervisedView
from fastagi_server.telemetry.measures import Measures


class Ari:
    """A look over ARI that misses the channel of one call."""

    async def unseen(self, calls: Sequence[Call]) -> tuple[set[str], set[str]]:
        """What it sees."""
        return {"led"}, {"gone"}


async def test_while_supervision_sees() -> None:
    """It ends the calls itself: upkeep is told of none."""
    scene = Scene()
    await scene.supervision.connected(RUN)
    view = SupervisedView(scene.supervision, None, Ari())
    assert await view.unseen([]) == (set(), set())


async def test_while_supervision_is_blind() -> None:
    """The look over ARI goes on, where there is one."""
    scene = Scene()
    assert await SupervisedView(scene.supervision, None, Ari()).unseen([]) == ({"led"}, {"gone"})
    assert await SupervisedView(scene.supervision, None, None).unseen([]) == (set(), set())


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_watch_of_the_settings(*, tls: bool) -> None:
    """With a host there is a link that is still to be run; without one there is no watch."""
    assert make_watch(load_settings(), Scene().book, Measures()) is None
    settings = load_settings(
        asterisk_ami_host="127.0.0.1", asterisk_ami_secret="secret", asterisk_ami_tls=tls
    )
    watch = make_watch(settings, Scene().book, Measures())
    assert watch is not None
    assert (watch.link.state, list(watch.not_registered())) == ("connecting", [])
