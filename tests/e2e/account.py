"""What a channel says of itself at its very end, by the context test-account."""

from dataclasses import dataclass

from lab.asterisk import Asterisk

FIELDS = r"app_verbose.c: ACCOUNT " + r"([^|\n]*)\|" * 8


@dataclass(frozen=True)
class Account:
    """Variables of a channel, the durations of Dial as numbers, None where it left none."""

    unique_id: str
    sge_status: str
    call_id: str
    dial_status: str
    hangup_cause: int
    until_ringing_ms: int | None
    dialled_ms: int | None
    talk_ms: int | None

    @property
    def ring_ms(self) -> int | None:
        """How long the phone of an answered call rang, by Asterisk's own figures."""
        if self.dialled_ms is None or self.until_ringing_ms is None or self.talk_ms is None:
            return None
        return self.dialled_ms - self.until_ringing_ms - self.talk_ms


def wait_for_account(asterisk: Asterisk, *, after: int) -> Account:
    """Return the account of the first channel that ended since the log was `after` long."""
    found = asterisk.wait_for_log(FIELDS, after=after)
    durations = [int(text) if text else None for text in found.groups()[5:]]
    return Account(
        unique_id=found[1],
        sge_status=found[2],
        call_id=found[3],
        dial_status=found[4],
        hangup_cause=int(found[5]),
        until_ringing_ms=durations[0],
        dialled_ms=durations[1],
        talk_ms=durations[2],
    )
