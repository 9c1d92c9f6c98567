"""Hold the log of a room against Asterisk's call detail records.

Of a bridge with several channels Asterisk keeps one record a pair, which ends when the first of
the two leaves.
"""

import asyncio
from datetime import datetime
from itertools import combinations
from typing import Any

from room_stage import WAIT_SECONDS, RoomStage

from lab.asterisk import Asterisk
from lab.details import details, wait_for_detail
from lab.processes import wait_until

Stays = dict[str, tuple[float, float]]
"""From when until when each channel was in the bridge, in seconds since 1970."""

Meetings = dict[frozenset[str], float]
"""Which two channels heard each other, and until when."""

# A busy machine does not write two records of one end at once.
ROOM_FOR_CLOCKS_SECONDS = 0.3


async def check_by_asterisk(stage: RoomStage, path: str, asterisk: Asterisk, *, pairs: int) -> None:
    """The log of a room says who met whom, and until when, as Asterisk does.

    For rooms whose members have all hung up, `pairs` of whom met.
    """
    stays = await _stays(stage, path)
    told = _meetings(stays)
    assert len(told) == pairs, stays

    def agrees() -> bool:
        found = _recorded(asterisk, stays)
        return found.keys() == told.keys() and all(
            abs(found[pair] - told[pair]) <= ROOM_FOR_CLOCKS_SECONDS for pair in told
        )

    found = await asyncio.to_thread(wait_until, agrees, WAIT_SECONDS)
    assert found, (told, _recorded(asterisk, stays))


async def check_alone(stage: RoomStage, path: str, asterisk: Asterisk) -> None:
    """Nobody met anybody, by Asterisk's records, and each was there until he hung up."""
    stays = await _stays(stage, path)
    for channel, (_, until) in stays.items():
        detail = await asyncio.to_thread(wait_for_detail, asterisk, channel)
        assert (detail.called_channel, detail.disposition) == ("", "ANSWERED")
        assert abs(detail.ended - until) <= ROOM_FOR_CLOCKS_SECONDS


async def _stays(stage: RoomStage, path: str) -> Stays:
    """The stays of all members, once everybody who came in has left."""
    stays: Stays = {}
    present = 1
    async with asyncio.timeout(WAIT_SECONDS):
        while not stays or present:
            stays, present = _read((await stage.alice.get(f"{path}/events")).json())
            await asyncio.sleep(0.02)
    return stays


def _read(log: list[dict[str, Any]]) -> tuple[Stays, int]:
    """The stays that are over, and how many are not."""
    entered: dict[str, float] = {}
    stays: Stays = {}
    whose: dict[str, str] = {}
    for event in log:
        at = datetime.fromisoformat(event["at"]).timestamp()
        channel = event["facts"].get("channel")
        match event["kind"], channel:
            case "arrived", str():
                whose[channel] = event["actor"]
            case "entered", str():
                entered[channel] = at
            case "left", None:
                for each in [each for each in entered if whose[each] == event["actor"]]:
                    stays[each] = entered.pop(each), at
            case "left", str() if channel in entered:
                stays[channel] = entered.pop(channel), at
            case "closed", _:
                stays |= {each: (since, at) for each, since in entered.items()}
                entered.clear()
            case _:
                pass
    return stays, len(entered)


def _meetings(stays: Stays) -> Meetings:
    return {
        frozenset(pair): min(stays[each][1] for each in pair)
        for pair in combinations(stays, 2)
        if max(stays[each][0] for each in pair) < min(stays[each][1] for each in pair)
    }


def _recorded(asterisk: Asterisk, stays: Stays) -> Meetings:
    rows = [row for row in details(asterisk) if row.unique_id in stays]
    ids = {row.channel: row.unique_id for row in rows}
    return {
        frozenset({row.unique_id, ids[row.called_channel]}): row.ended
        for row in rows
        if row.called_channel in ids
    }
