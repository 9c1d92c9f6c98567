"""The laws of a browser's leg, for whatever page and Asterisk do, in any order."""

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.gateway.reasons import Ending
from fastagi_server.gateway.session import Phase, Session
from fastagi_server.signaling.errors import SignalingError
from fastagi_server.sip.events import (
    Answered,
    Ended,
    LegState,
    Offered,
    OfferRefused,
    Progress,
    Refused,
    Ringing,
    SipEvent,
)
from tests.unit.gateway.gateway_stage import CANDIDATE, SDP, WITHOUT_CANDIDATE, FakeLeg, FakeMail

EVENTS: tuple[SipEvent, ...] = (
    Ringing(),
    Progress("early"),
    Answered("answer"),
    Offered("offer"),
    OfferRefused(488, "Not Acceptable Here"),
    Refused(486, "Busy Here", 17),
    Ended(None, 16, by_far_end=True),
    Ended(481, None, by_far_end=True),
)
ASKED = ("offer", "trickled offer", "answer", "trickled answer", "candidate", "no candidate")
ENDS = ("hang up", "leave")

steps = st.lists(st.sampled_from((*EVENTS, *ASKED, *ENDS)), max_size=20)


class Witness:
    """Hears how a session goes."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []

    def rings(self, session: Session) -> None:
        """See Observer."""
        assert session.phase is not Phase.OVER

    def talks(self, session: Session) -> None:
        """See Observer."""
        assert session.phase is Phase.UP

    def ends(self, session: Session, ending: Ending) -> None:
        """See Observer."""
        assert session.phase is Phase.OVER
        self.endings.append(ending)


class Stage:
    """A session that a browser has begun, or that rings in it."""

    def __init__(self, *, is_caller: bool) -> None:
        self.mail, self.witness, self.leg = FakeMail(), Witness(), FakeLeg()
        self.session = Session(
            "call-1", "alice", mail=self.mail, observer=self.witness, is_noted=True
        )
        self.leg.on_event = self.session.hear
        self.is_placed = not is_caller
        if is_caller:
            self.session.call(WITHOUT_CANDIDATE, self._place)
        else:
            self.session.ring(self.leg, {"type": "offer", "sdp": SDP})

    def _place(self, _: str) -> FakeLeg:
        self.is_placed = True
        return self.leg

    def step(self, what: SipEvent | str) -> None:
        """Something happens: to the leg, unless it has ended or is none yet, or in the page."""
        if not isinstance(what, str):
            if self.is_placed and self.leg.now is not LegState.ENDED:
                self.leg.hear(what)
            return
        with suppress(SignalingError):
            self._ask(what)

    def _ask(self, what: str) -> None:
        session = self.session
        sdp = WITHOUT_CANDIDATE if what.startswith("trickled") else SDP
        match what.removeprefix("trickled "):
            case "offer":
                session.offer(sdp)
            case "answer":
                session.answer(sdp)
            case "candidate":
                session.candidates.add(CANDIDATE)
            case "no candidate":
                session.candidates.release()
            case _:
                session.hang_up()


@given(st.booleans(), steps)
def test_a_leg_ends_once(is_caller: bool, told: list[SipEvent | str]) -> None:  # noqa: FBT001
    """With one last word to the page and to the observer, and nothing is asked or said after it."""

    async def play() -> None:
        stage = Stage(is_caller=is_caller)
        for what in told:
            was_over = stage.session.phase is Phase.OVER
            before = len(stage.mail.sent), len(stage.leg.asked)
            stage.step(what)
            if was_over:
                assert (len(stage.mail.sent), len(stage.leg.asked)) == before
        stage.session.hang_up()
        if stage.is_placed and stage.leg.now is not LegState.ENDED:
            stage.leg.hear(Ended(None, None, by_far_end=False))
        assert stage.session.phase is Phase.OVER
        assert len(stage.witness.endings) == 1
        assert stage.mail.sent[-1][2:] == ("hangup", stage.witness.endings[0].payload)
        stage.session.candidates.close()

    asyncio.run(play())


@given(steps)
def test_an_invitation_is_answered_once(told: list[SipEvent | str]) -> None:
    """However many pages try: every further answer needs a further offer of Asterisk's."""

    async def play() -> None:
        stage = Stage(is_caller=False)
        for what in told:
            stage.step(what)
        answers = sum(each.startswith("answer") for each in stage.leg.asked)
        assert answers <= 1 + sum(isinstance(each, Offered) for each in told)
        assert stage.leg.asked.count("ring") == 1
        stage.session.candidates.close()

    asyncio.run(play())
