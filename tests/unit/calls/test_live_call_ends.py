"""How live calls end, are handed over by a phone, and are rated."""

import pytest
from live_samples import arrived, at, ended, placed, talking

from fastagi_server.calls.legs import CloseBridge, HangUp, Leg, LegState, LogTransfer, Note, Rate
from fastagi_server.calls.models import EndedBy
from fastagi_server.calls.transitions import Trigger


def test_a_phone_transfers() -> None:
    """Another channel has its place; the phone goes, and its end is not the call's."""
    live = talking()
    live.hand_over("1")
    heir = Leg("x", participant="Local/3@users", state=LegState.UP)
    assert live.replaced("1", heir, "3", at(3)) == [HangUp("1", 16), LogTransfer("PJSIP/2", "3")]
    assert live.gone("1", 16, at(3.1)) == []
    assert not live.is_ended
    assert ended(live.gone("x", 17, at(5))).hangup_cause == 17
    assert live.gone("0", 16, at(5.1)) == [CloseBridge()]


def test_a_phone_that_transferred_is_gone_before_its_heir_is_there() -> None:
    """Nothing is made of its end as soon as it is known that it hands over."""
    live = talking()
    live.hand_over("0")
    assert live.gone("0", 16, at(3)) == []
    assert live.replaced("0", Leg("x", state=LegState.UP), "", at(3.1)) == [
        LogTransfer("PJSIP/1", "")
    ]
    assert live.first.channel_id == "x"
    assert not live.is_ended


def test_a_phone_that_transferred_leaves() -> None:
    """That it left the application is the last that is told of it; the bridge waits for no more."""
    live = talking()
    live.replaced("1", Leg("x", state=LegState.UP), "3", at(3))
    live.ending("1", hung_up=False)
    assert live.left("1", at(3.1)) == []
    live.gone("x", 16, at(4))
    assert live.gone("0", 16, at(4.1)) == [CloseBridge()]


def test_a_phone_that_holds_transfers() -> None:
    """The hold ends with it."""
    live = talking()
    live.held("1", at(2.5))
    effects = live.replaced("1", Leg("x", state=LegState.UP), "3", at(3))
    assert effects[-1] == Note(Trigger.RESUME, at(3))


def test_a_transfer_out_of_a_call_that_has_ended() -> None:
    """Who comes too late is hung up like the others, and the bridge waits for it."""
    live = talking()
    live.end(at(3))
    assert live.replaced("1", Leg("x", state=LegState.UP), "3", at(3.1)) == [HangUp("x", 16)]
    live.gone("0", 16, at(3.2))
    live.gone("1", 16, at(3.2))
    assert live.gone("x", 16, at(3.3)) == [CloseBridge()]


def test_a_transfer_by_a_stranger_changes_nothing() -> None:
    """The channel that is replaced is no leg of this call."""
    live = talking()
    live.hand_over("9")
    assert live.replaced("9", Leg("x", state=LegState.UP), "3", at(3)) == []


@pytest.mark.parametrize(("channel", "by"), [("0", EndedBy.CALLER), ("1", EndedBy.CALLEE)])
def test_a_phone_hangs_up(channel: str, by: EndedBy) -> None:
    """The first that is told of a channel's end counts: what follows is how the PBX does it."""
    live = talking()
    live.ending(channel, hung_up=True)
    live.ending(channel, hung_up=False)
    assert ended(live.gone(channel, 16, at(3))).ended_by is by


@pytest.mark.parametrize("channel", ["0", "1"])
def test_the_pbx_ends_a_channel(channel: str) -> None:
    """No party ended the call then, whichever channel it was."""
    live = talking()
    live.ending(channel, hung_up=False)
    assert ended(live.gone(channel, 16, at(3))).ended_by is EndedBy.PBX


def test_nobody_knows_who_ended_it() -> None:
    """A channel is gone of which nothing was told before."""
    assert ended(talking().gone("1", 16, at(3))).ended_by is None


def test_who_ends_a_conference_that_its_caller_left() -> None:
    """Of several who were called nobody can be told from the caller any more."""
    live = talking(is_conference=True)
    live.ending("0", hung_up=True)
    live.ending("1", hung_up=True)
    live.gone("0", 16, at(3))
    assert live.is_ended
    live = placed("PJSIP/1", "PJSIP/2", "PJSIP/3", is_conference=True)
    live.begin()
    for channel in ("0", "1", "2"):
        live.answers(channel, at(1))
    live.gone("0", 16, at(2))
    live.ending("1", hung_up=True)
    assert ended(live.gone("1", 16, at(3))).ended_by is None


def test_a_limit_ends_it() -> None:
    """Without an actor it was this program."""
    assert ended(talking().end(at(3))).ended_by is EndedBy.PBX
    assert ended(arrived().refuse(at(1), 21)).ended_by is EndedBy.PBX


def test_a_caller_who_gives_up_ended_it() -> None:
    """Also before anybody answered."""
    live = arrived("PJSIP/1")
    live.begin()
    live.ending("0", hung_up=True)
    assert ended(live.gone("0", 0, at(3))).ended_by is EndedBy.CALLER


def test_how_it_sounded_is_told_once_all_are_gone() -> None:
    """With what was told of every leg, also of one that was gone before."""
    live = talking()
    live.sounded("1", "rxcount=99;lp=1;avgrxmes=80")
    live.gone("1", 16, at(3))
    live.sounded("0", "rxcount=50;lp=50;avgrxmes=20")
    effects = live.gone("0", 16, at(3.1))
    assert effects[0] == CloseBridge()
    (rate,) = (each for each in effects if isinstance(each, Rate))
    assert rate.figures["loss_percent"] == 50.0
    assert live.gone("0", 16, at(3.2)) == []
