"""How calls sound, by sampling: a few live channels every 15 s, whoever leads them.

Asterisk gives each RTP channel a Media Experience Score, 0 to 100, from the jitter, loss and round
trip of its packets: one of what it got from the telephone and, if that sends RTCP, one of what the
telephone says that it got. It is 20 times an opinion score by Asterisk's own formula. So the score
estimates what the network did to the audio between Asterisk and a telephone; it knows nothing of
codecs, echo, noise or loudness.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from fastagi_server.ari.counting import ChannelCount
from fastagi_server.ari.errors import AriError
from fastagi_server.ari.models import RtpStatistics
from fastagi_server.calls.quality import MES_OF_ONE_MOS
from fastagi_server.telemetry.measures import Measures

SAMPLE_SECONDS = 15.0
SAMPLE_CHANNELS = 20
SAMPLE_DEADLINE_SECONDS = 10.0

AT_ONCE = 4
"""Questions to Asterisk at a time: quality can wait, calls cannot."""

_log = structlog.stdlib.get_logger("quality")

Pick = Callable[[Sequence[str], int], Sequence[str]]


class Channels(Protocol):
    """Asks one Asterisk; each method has a deadline and raises AriError."""

    async def count_channels(self) -> ChannelCount:
        """All channels, and which of them talk."""
        ...

    async def rtp_statistics(self, channel_id: str, /) -> RtpStatistics:
        """The quality of a channel's audio so far."""
        ...


class QualitySampler:
    """Keeps the measures of quality; `pick` chooses so many of the channels."""

    def __init__(
        self,
        ari: Channels,
        measures: Measures,
        *,
        pick: Pick = random.sample,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ari = ari
        self._measures = measures
        self._pick = pick
        self._sleep = sleep

    async def run(self) -> None:
        """Sample every 15 s until cancelled; a sample that fails is logged and shows nothing."""
        while True:
            try:
                async with asyncio.timeout(SAMPLE_DEADLINE_SECONDS):
                    await self.sample()
            except (AriError, TimeoutError) as error:
                self._measures.mos.clear()
                _log.debug("quality_not_sampled", reason=str(error))
            except Exception:  # noqa: BLE001 - whatever it was, the next sample may do better
                self._measures.mos.clear()
                _log.exception("quality_sample_failed")
            await self._sleep(SAMPLE_SECONDS)

    async def sample(self) -> None:
        """Ask some answered channels how they sound. Raises AriError."""
        talking = (await self._ari.count_channels()).talking
        chosen = self._pick(talking, min(SAMPLE_CHANNELS, len(talking)))
        slots = asyncio.Semaphore(AT_ONCE)

        async def score(channel_id: str) -> list[float]:
            async with slots:
                return await self._scores(channel_id)

        found = await asyncio.gather(*map(score, chosen))
        scores = [each for of_channel in found for each in of_channel]
        if scores:
            self._measures.mos.set(sum(scores) / len(scores))
        else:
            self._measures.mos.clear()

    async def _scores(self, channel_id: str) -> list[float]:
        """The opinion scores of a channel's two directions, those that are known yet."""
        try:
            statistics = await self._ari.rtp_statistics(channel_id)
        except AriError:  # it has ended meanwhile, or has no RTP
            return []
        directions = {"from": statistics.received_mes, "to": statistics.sent_mes}
        scores: list[float] = []
        for direction, mes in directions.items():
            if mes is not None and mes > 0:
                scores.append(mes / MES_OF_ONE_MOS)
                self._measures.mos_samples.observe(mes / MES_OF_ONE_MOS, direction)
        return scores
