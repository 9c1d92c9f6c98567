"""How a call sounded, from what the PBX says of the media of each leg once it is over. No I/O.

Asterisk counts what a phone sent and, where the phone reports by RTCP, what it received. From loss,
jitter and round trip it reckons a Media Experience Score: 20 times an opinion score. All of it
describes the network between Asterisk and the phones, nothing else: not echo, not the codec.

Losses are counted, and scores reckoned, every 5 s: a shorter call has neither, and of a longer one
the losses of its last seconds are missing.

The texts are those of the channel variables RTPAUDIOQOS and its kin, `name=number;name=number`. In
RTPAUDIOQOS itself Asterisk swaps both directions of jitter and score; its kin have them right.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

REPORTS: Final = frozenset({"RTPAUDIOQOS", "RTPAUDIOQOSJITTER", "RTPAUDIOQOSRTT", "RTPAUDIOQOSMES"})
"""The channel variables that are read."""

MAX_REPORT_LENGTH = 1024
MES_OF_ONE_MOS = 20

_FIGURE = re.compile(r"(\w+)=(\d{1,15}(?:\.\d{1,9})?)(?=;|$)")

Figures = Mapping[str, float | None]
"""Of a call: mes, mos, loss_percent, jitter_ms, round_trip_ms; None for what nobody measured."""


class MediaReport:
    """What the PBX has said of one leg's media; empty until it ends."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def take(self, text: str) -> None:
        """Read one report; what is no number in it is left out."""
        for name, number in _FIGURE.findall(text[:MAX_REPORT_LENGTH]):
            self._told[name] = float(number)

    def directions(self) -> list[dict[str, float]]:
        """Loss, jitter, score and round trip of what came from the phone, and of what it got."""
        told = self._told
        found: list[dict[str, float]] = []
        for way, packets, lost in (("rx", "rxcount", "lp"), ("tx", "txcount", "rlp")):
            score = told.get(f"avg{way}mes", 0)
            jitter = told.get(f"avg{way}jitter", 0)
            # What a phone got is only known where it sent reports; without one all of it is 0.
            if not told.get(packets) or (way == "tx" and not (score or jitter or told.get(lost))):
                continue
            figures = {"jitter_ms": 1000 * jitter}
            # Losses are counted, and the score reckoned, with each report that Asterisk sends.
            if score:
                loss = told.get(lost, 0)
                figures["loss_percent"] = 100 * loss / (loss + told[packets])
                figures["mes"] = score
            if told.get("avgrtt"):
                figures["round_trip_ms"] = 1000 * told["avgrtt"]
            found.append(figures)
        return found


def of_call(reports: Iterable[MediaReport]) -> Figures | None:
    """The worst that any party had, in either direction; None when no media was measured."""
    directions = [way for report in reports for way in report.directions()]
    if not directions:
        return None
    mes = _worst("mes", min, directions)
    return {
        "mes": mes,
        "mos": None if mes is None else round(mes / MES_OF_ONE_MOS, 2),
        "loss_percent": _worst("loss_percent", max, directions),
        "jitter_ms": _worst("jitter_ms", max, directions),
        "round_trip_ms": _worst("round_trip_ms", max, directions),
    }


def _worst(
    name: str,
    choose: Callable[[Iterable[float]], float],
    directions: Iterable[Mapping[str, float]],
) -> float | None:
    known = [way[name] for way in directions if name in way]
    return round(choose(known), 2) if known else None
