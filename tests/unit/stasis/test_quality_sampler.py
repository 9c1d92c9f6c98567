"""How calls sound, by sampling a few channels."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from fastagi_server.ari.counting import ChannelCount
from fastagi_server.ari.errors import AriRefusedError, AriUnreachableError
from fastagi_server.ari.models import RtpStatistics
from fastagi_server.stasis.quality import QualitySampler
from fastagi_server.telemetry.measures import Labels, Measures


def statistics(**scores: float) -> RtpStatistics:
    """What ARI gives of a channel's audio."""
    counts = {"txcount": 9, "rxcount": 9, "txploss": 0, "rxploss": 0}
    return RtpStatistics.from_json({**counts, **scores})


class Pbx:
    """Asterisk: channels that talk, and the quality of each; those without one are refused."""

    def __init__(self, *talking: str) -> None:
        self.talking = talking
        self.quality: dict[str, RtpStatistics] = {}
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.is_away = False

    async def count_channels(self) -> ChannelCount:
        """All of them."""
        if self.is_away:
            raise AriUnreachableError("refused")
        return ChannelCount(len(self.talking), self.talking)

    async def rtp_statistics(self, channel_id: str, /) -> RtpStatistics:
        """Of one of them."""
        self.asked.append(channel_id)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if channel_id not in self.quality:
            raise AriRefusedError(403, "Channel has no RTP")
        return self.quality[channel_id]


def first(channels: Sequence[str], count: int) -> Sequence[str]:
    """Pick no other than the first."""
    return channels[:count]


async def test_scores_of_both_directions() -> None:
    """The score of a sample is the mean of all directions that are known; 20 times is MES."""
    pbx, measures = Pbx("17.1", "17.2"), Measures()
    pbx.quality = {"17.1": statistics(txmes=88, rxmes=80), "17.2": statistics(txmes=48, rxmes=0)}
    await QualitySampler(pbx, measures).sample()
    assert measures.mos.values == {(): pytest.approx((4.4 + 4.0 + 2.4) / 3)}
    series = measures.mos_samples.values
    assert series[("from",)].total == pytest.approx(6.8)
    assert series[("to",)].total == pytest.approx(4.0)


async def test_sample_is_bounded() -> None:
    """Of a thousand channels twenty are asked, four at a time."""
    pbx = Pbx(*(f"17.{number}" for number in range(1000)))
    await QualitySampler(pbx, Measures()).sample()
    assert len(set(pbx.asked)) == 20
    assert pbx.most_at_once == 4


async def test_channel_that_ended_meanwhile() -> None:
    """A refusal of one leaves the others' score."""
    pbx, measures = Pbx("17.1", "17.2"), Measures()
    pbx.quality = {"17.2": statistics(txmes=80)}
    await QualitySampler(pbx, measures, pick=first).sample()
    assert measures.mos.values == {(): 4.0}


async def test_nobody_talks() -> None:
    """Without a call there is no score; the one before is gone."""
    pbx, measures = Pbx("17.1"), Measures()
    pbx.quality = {"17.1": statistics(txmes=80)}
    sampler = QualitySampler(pbx, measures)
    await sampler.sample()
    pbx.talking = ()
    await sampler.sample()
    assert measures.mos.values == {}


@pytest.mark.parametrize("fault", ["Asterisk is away", "a mistake of ours"])
async def test_failure_is_outlived(fault: str) -> None:
    """After a failure nothing is shown, and the next sample is tried 15 s later."""
    pbx, measures = Pbx("17.1"), Measures()
    pbx.quality = {"17.1": statistics(txmes=80)}
    pbx.is_away = fault == "Asterisk is away"
    measures.mos.set(3.0)
    picked: list[int] = []
    shown: list[Mapping[Labels, float]] = []

    def pick(channels: Sequence[str], count: int) -> Sequence[str]:
        picked.append(count)
        if len(picked) == 1 and fault == "a mistake of ours":
            raise RuntimeError(fault)
        return channels[:count]

    async def sleep(seconds: float) -> None:
        assert seconds == 15.0
        shown.append(dict(measures.mos.values))
        pbx.is_away = False
        if len(shown) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await QualitySampler(pbx, measures, pick=pick, sleep=sleep).run()
    assert shown == [{}, {(): 4.0}]
