"""What each kind of look finds."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from fastagi_server.health import probes
from fastagi_server.health.states import Condition, State

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MIB = 1024 * 1024


@dataclass
class Link:
    """A link as a supervisor would show it."""

    state: str = "up"
    since: datetime = NOON
    last_error: str = ""


@dataclass
class Backlog:
    """What waits."""

    pending: int = 0
    dead: int = 0


@dataclass
class Outbox:
    """An outbox with a backlog, or an error."""

    backlog: Backlog
    error: Exception | None = None

    async def statistics(self) -> Backlog:
        """The backlog."""
        if self.error is not None:
            raise self.error
        return self.backlog


async def test_answering() -> None:
    """Up when it answers, down with its own words when it does not."""

    async def answer() -> None:
        return

    async def refuse() -> None:
        raise LookupError("database is locked")

    good = probes.answering("store", answer, expected=LookupError, reason="store unavailable")
    assert (good.name, good.is_needed, await good.look()) == ("store", True, Condition())
    bad = probes.answering("store", refuse, expected=LookupError, reason="store unavailable")
    assert await bad.look() == Condition(State.DOWN, "store unavailable", "database is locked")


@pytest.mark.parametrize("state", ["connecting", "lost", "replaced", "authentication refused"])
async def test_links(state: str) -> None:
    """A link that is not up is down, in its own word, since it is."""
    link = Link()
    probe = probes.linked("ami", link, "manager interface")
    assert probe.is_needed
    assert await probe.look() == Condition(since=NOON)
    link.state, link.last_error = state, "Authentication failed"
    assert await probe.look() == Condition(
        State.DOWN, f"manager interface: {state}", "Authentication failed", NOON
    )


@pytest.mark.parametrize(
    ("backlog", "condition"),
    [
        (Backlog(), Condition()),
        (Backlog(pending=89), Condition()),
        (Backlog(pending=90), Condition(State.DEGRADED, "outbox nearly full", "90 entries wait")),
        (
            Backlog(dead=2),
            Condition(State.DEGRADED, "dead letters in the outbox", "2 were given up"),
        ),
    ],
)
async def test_outbox(backlog: Backlog, condition: Condition) -> None:
    """What waits is normal, until there is no room for more; what was given up is not."""
    probe = probes.queueing(Outbox(backlog), expected=OSError, max_entries=100)
    assert await probe.look() == condition


async def test_outbox_that_cannot_be_read() -> None:
    """It could take no registration either."""
    outbox = Outbox(Backlog(), OSError("disk I/O error"))
    probe = probes.queueing(outbox, expected=OSError, max_entries=100)
    assert probe.is_needed
    assert await probe.look() == Condition(State.DOWN, "outbox unusable", "disk I/O error")


async def test_sge_api() -> None:
    """Down while it is left alone, with the failures that led there; never needed."""
    breaker = {(): 0.0}
    requests = {("register", "ok"): 5.0, ("end", "api_timeout"): 1.0}
    probe = probes.sge_api(breaker, requests)
    assert not probe.is_needed
    assert await probe.look() == Condition()
    breaker[()] = 1.0
    requests.update({("register", "api_error"): 3.0, ("register", "ok"): 6.0})
    assert await probe.look() == Condition(State.DOWN, "SGE API unavailable", "api_error")
    requests["register", "api_breaker_open"] = 7.0
    assert await probe.look() == Condition(State.DOWN, "SGE API unavailable", "api_error")
    breaker[()] = 0.0
    assert await probe.look() == Condition()


async def test_log_writer() -> None:
    """Lines lost since the last look are worth a look; those lost long ago are not."""
    drops: dict[tuple[str, ...], float] = {("log_file_line",): 0.0}
    probe = probes.log_writer(drops)
    assert await probe.look() == Condition()
    drops["log_line",] = 3.0
    assert await probe.look() == Condition(
        State.DEGRADED, "log lines are lost", "3 since the last look"
    )
    assert await probe.look() == Condition()
    drops["log_file_line",] = 1.0
    assert await probe.look() == Condition(State.DEGRADED, "the log file is not written")


async def test_event_stream() -> None:
    """Events that a slow reader lost, and those that a webhook does not take; never needed."""
    drops: dict[tuple[str, ...], float] = {}
    letters: dict[tuple[str, ...], float] = {("crm",): 0.0}
    probe = probes.event_stream(drops, letters)
    assert not probe.is_needed
    assert await probe.look() == Condition()
    drops["stream_event",] = 5.0
    assert await probe.look() == Condition(
        State.DEGRADED, "events are lost", "5 since the last look, by slow readers"
    )
    letters["crm",] = 2.0
    assert await probe.look() == Condition(
        State.DEGRADED, "webhooks do not take their events", "2 are kept"
    )


@pytest.mark.parametrize(
    ("free", "state", "detail"),
    [
        (256 * MIB, State.UP, ""),
        (255 * MIB, State.DEGRADED, "255 MiB are free"),
        (15 * MIB, State.DOWN, "15 MiB are free"),
    ],
)
async def test_disk(free: int, state: State, detail: str) -> None:
    """Little room is told before there is none."""
    condition = await probes.disk(lambda: free).look()
    assert (condition.state, condition.detail) == (state, detail)


async def test_disk_that_cannot_be_read() -> None:
    """A folder that is gone has no room."""

    def fail() -> int:
        raise OSError(2, "No such file or directory")

    assert await probes.disk(fail).look() == Condition(
        State.DOWN, "the state folder cannot be read", "No such file or directory"
    )
