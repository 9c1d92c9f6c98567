"""Calls go on while nothing can be recorded, and nobody is left in one that is over."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from call_stage import APP, Stage, open_stage

from fastagi_server.calls.models import Call, CallEvent
from fastagi_server.calls.ports import Decision
from fastagi_server.stasis import effects
from fastagi_server.store.errors import StoreUnavailableError
from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.world import PhoneState

Refuse = Callable[[int], None]


@pytest.fixture
async def stage(fake_ari: FakeAri, tmp_path: Path) -> AsyncGenerator[Stage]:
    """A linked service whose phones answer at once."""
    async with fake_ari, open_stage(tmp_path, fake_ari) as opened:
        fake_ari.phones["PJSIP/1001"] = PhoneState.ANSWERS
        fake_ari.phones["PJSIP/1002"] = PhoneState.ANSWERS
        yield opened


@pytest.fixture
def refuse(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Lets the store refuse so many of the next changes."""
    change, left = stage.store.calls.change, 0

    def refuse(number: int) -> None:
        nonlocal left
        left = number

    async def refused(call_id: str, decide: Decision) -> tuple[Call, CallEvent | None]:
        nonlocal left
        if left > 0:
            left -= 1
            raise StoreUnavailableError("the server is away")
        return await change(call_id, decide)

    monkeypatch.setattr(stage.store.calls, "change", refused)
    return refuse


async def test_the_end_is_recorded_late(stage: Stage, refuse: Refuse) -> None:
    """The other phone is hung up at once, and the record has the true end once it can be made."""
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    refuse(2)
    stage.fake.phone.hangs_up(f"sge-{call.id}-0")
    await stage.when(lambda: not stage.fake.channels)
    ended = await stage.until(call.id, "ended")
    assert (ended.hangup_cause, ended.dial_status) == (16, "ANSWER")
    await stage.empty()


async def test_a_ring_that_is_not_recorded(stage: Stage, refuse: Refuse) -> None:
    """The call is connected all the same."""
    refuse(1)
    call = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(call.id, "connected")
    assert "ringing" not in await stage.kinds(call.id)


async def test_a_caller_who_cannot_be_recorded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is hung up instead of being left in silence."""

    async def refused(*_: object) -> tuple[Call, bool]:
        raise StoreUnavailableError("the server is away")

    monkeypatch.setattr(stage.store.calls, "create", refused)
    stage.fake.calls_in(APP, args="1001", caller_number="1002")
    await stage.empty()


async def test_an_end_that_was_never_recorded(
    stage: Stage, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A placed call that nobody leads any more is ended after two looks; no other call is."""
    monkeypatch.setattr(effects, "LATE_SECONDS", ())
    board, upkeep = stage.telephony.switchboard, stage.telephony.upkeep
    assert board is not None
    lost = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(lost.id, "connected")
    refuse(1)
    stage.fake.phone.hangs_up(f"sge-{lost.id}-0")
    await stage.when(lambda: not board.calls)
    goes_on = await stage.place("SIP/1001", "SIP/1002")
    await stage.until(goes_on.id, "connected")
    board.is_linked = False
    await upkeep.look()
    await upkeep.look()
    board.is_linked = True
    await upkeep.look()
    assert (await stage.until(lost.id, "connected")).is_active
    await upkeep.look()
    await stage.until(lost.id, "ended")
    assert (await stage.store.calls.events(lost.id))[-1].facts == {"reason": "lost"}
    await stage.until(goes_on.id, "connected")
    await stage.end(goes_on.id)
