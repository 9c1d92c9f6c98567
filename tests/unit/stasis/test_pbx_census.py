"""How many channels, bridges and endpoints an Asterisk has."""

from dataclasses import dataclass

import pytest

from fastagi_server.ari.counting import ChannelCount, EndpointCount
from fastagi_server.ari.errors import AriError, AriUnreachableError
from fastagi_server.stasis.census import PbxCensus
from fastagi_server.telemetry.measures import Measures


@dataclass(frozen=True)
class Watched:
    """What the manager interface knows."""

    channels: int = 2000
    bridges: int = 1000
    registered_endpoints: int = 40


def unwatched() -> None:
    """Nobody watches over the manager interface."""


class Pbx:
    """Two channels in a bridge, one endpoint of three online; or nobody."""

    error: AriError | None = None
    asked = 0

    async def count_channels(self) -> ChannelCount:
        """Both."""
        self.asked += 1
        if self.error is not None:
            raise self.error
        return ChannelCount(2, ())

    async def count_bridges(self) -> int:
        """The one."""
        return 1

    async def count_endpoints(self) -> EndpointCount:
        """All three."""
        return EndpointCount(3, 1)


async def test_all_is_counted() -> None:
    """Every list has its figure; of endpoints those that are online, and all."""
    measures = Measures()
    await PbxCensus(Pbx(), measures, unwatched).collect()
    assert measures.channels.values == {(): 2}
    assert measures.bridges.values == {(): 1}
    assert measures.registered_endpoints.values == {(): 1}
    assert measures.configured_endpoints.values == {(): 3}


async def test_asterisk_that_is_away() -> None:
    """Its figures are gone with it."""
    measures, pbx = Measures(), Pbx()
    census = PbxCensus(pbx, measures, unwatched)
    await census.collect()
    pbx.error = AriUnreachableError("refused")
    with pytest.raises(AriUnreachableError):
        await census.collect()
    await measures.collectors.refresh()
    await measures.collectors.close()
    assert measures.channels.values == {}
    assert measures.registered_endpoints.values == {}


async def test_watch_is_cheaper() -> None:
    """While the manager interface knows the counts no list of channels is asked for."""
    measures, pbx = Measures(), Pbx()
    await PbxCensus(pbx, measures, Watched).collect()
    assert pbx.asked == 0
    assert measures.channels.values == {(): 2000}
    assert measures.bridges.values == {(): 1000}
    assert measures.registered_endpoints.values == {(): 40}
    assert measures.configured_endpoints.values == {(): 3}


async def test_watch_alone() -> None:
    """Without ARI the watch tells what it knows; without both nothing is known."""
    measures = Measures()
    await PbxCensus(None, measures, Watched).collect()
    assert measures.channels.values == {(): 2000}
    assert measures.configured_endpoints.values == {}
    with pytest.raises(AriUnreachableError, match="nobody watches"):
        await PbxCensus(None, measures, unwatched).collect()
