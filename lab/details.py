"""Asterisk's own account of the calls of one instance: its call detail records (CDR).

One record a dialled channel, written when the call is over. `lab/etc/cdr_custom.conf` has the
fields; a file is read as it grows.
"""

import csv
from dataclasses import dataclass, fields

from lab import processes
from lab.asterisk import Asterisk
from lab.errors import CommandError

WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class CallDetail:
    """How one call went; instants are seconds since 1970, 0 for an answer that never came.

    `disposition` is ANSWERED, NO ANSWER, BUSY, FAILED or CONGESTION.
    """

    unique_id: str
    channel: str
    called_channel: str
    disposition: str
    started: float
    answered: float
    ended: float

    @property
    def talk_ms(self) -> int:
        """Milliseconds from answer to end; 0 when nobody answered."""
        return round((self.ended - self.answered) * 1000) if self.answered else 0


def wait_for_detail(
    asterisk: Asterisk, unique_id: str, seconds: float = WAIT_SECONDS
) -> CallDetail:
    """Return the record of the call that the channel `unique_id` made, waiting for it.

    Raises CommandError when there is none by the deadline, as for a call that dialled nobody.
    """

    def found() -> list[CallDetail]:
        return [detail for detail in details(asterisk) if detail.unique_id == unique_id]

    if not processes.wait_until(lambda: bool(found()), seconds):
        raise CommandError(f"Asterisk has no record of the call {unique_id}")
    return found()[-1]


def details(asterisk: Asterisk) -> list[CallDetail]:
    """Return the records of all calls that are over, oldest first."""
    file = asterisk.folder / "log/cdr-custom/details.csv"
    if not file.exists():
        return []
    with file.open(newline="", errors="replace") as lines:
        rows = [row for row in csv.reader(lines) if len(row) == len(fields(CallDetail))]
    return [
        CallDetail(
            unique_id=row[0],
            channel=row[1],
            called_channel=row[2],
            disposition=row[3],
            started=float(row[4]),
            answered=float(row[5]),
            ended=float(row[6]),
        )
        for row in rows
    ]
