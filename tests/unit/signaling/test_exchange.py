"""Who may tell whom what, and where it goes."""

import asyncio

import pytest
from exchange_stage import (
    ALICE,
    ANSWER,
    BOB,
    CALL,
    CANDIDATE,
    EVE,
    NOBODY,
    NOON,
    OFFER,
    OPERATOR,
    ExchangeStage,
)

from fastagi_server.calls.errors import CallEndedError, CallForbiddenError, CallNotFoundError
from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.signaling.errors import (
    InvalidPayloadError,
    NoGatewayError,
    TooManyWaitsError,
    UnknownAddresseeError,
    UnknownKindError,
    WrongStateError,
)
from fastagi_server.signaling.models import SignalKind, SignalMessage


@pytest.fixture
def stage() -> ExchangeStage:
    """Alice calls bob, who is a user."""
    return ExchangeStage("bob")


async def test_relays(stage: ExchangeStage) -> None:
    """What one user sends the other one reads as it was sent, and is told at once."""
    sent = await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    (read,) = await stage.exchange.read(CALL, BOB)
    assert read == sent
    assert read == SignalMessage(
        id=read.id,
        call_id=CALL,
        from_user="alice",
        to_user="bob",
        kind=SignalKind.OFFER,
        payload=OFFER,
        sequence_number=1,
        sent_at=NOON,
    )
    assert stage.sockets.pushed == [("bob", "offer")]
    assert stage.gateway.received == []
    assert stage.measures.signaling_messages.values == {("offer",): 1}


async def test_only_the_addressee_reads(stage: ExchangeStage) -> None:
    """The sender does not read his own message."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    assert await stage.read_kinds(ALICE) == []


async def test_reading_consumes_nothing(stage: ExchangeStage) -> None:
    """Messages come oldest first, again and again, or from behind a cursor on."""
    for kind, payload in (("offer", OFFER), ("ice_candidate", {"candidate": CANDIDATE})):
        await stage.exchange.send(CALL, ALICE, "bob", kind, payload)
    assert await stage.read_kinds(BOB) == ["offer", "ice_candidate"]
    assert await stage.read_kinds(BOB) == ["offer", "ice_candidate"]
    assert await stage.read_kinds(BOB, after=1) == ["ice_candidate"]
    assert await stage.read_kinds(BOB, after=2) == []


async def test_cursor_of_a_clock_that_was_ahead(stage: ExchangeStage) -> None:
    """A cursor that was never given out hides nothing."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    assert await stage.read_kinds(BOB, after=2**53 - 1) == ["offer"]


async def test_every_kind_that_clients_send(stage: ExchangeStage) -> None:
    """All documented types are taken, in any case."""
    payloads = {
        "offer": OFFER,
        "ANSWER": ANSWER,
        "Ice_Candidate": {"candidate": {"candidate": CANDIDATE, "sdpMid": "0"}},
        "hangup": {},
        "mute": None,
        "unmute": "please",
    }
    for kind, payload in payloads.items():
        await stage.exchange.send(CALL, ALICE, "bob", kind, payload)
    assert await stage.read_kinds(BOB) == [kind.lower() for kind in payloads]


@pytest.mark.parametrize("kind", ["ringing", "progress", "dance", ""])
async def test_kinds_that_clients_do_not_send(stage: ExchangeStage, kind: str) -> None:
    """What only Asterisk says, or nobody, is refused."""
    with pytest.raises(UnknownKindError):
        await stage.exchange.send(CALL, ALICE, "bob", kind, {})


async def test_payload_is_checked(stage: ExchangeStage) -> None:
    """A payload that its type does not have goes nowhere."""
    with pytest.raises(InvalidPayloadError):
        await stage.exchange.send(CALL, ALICE, "bob", "offer", {"type": "answer"})
    assert await stage.read_kinds(BOB) == []


@pytest.mark.parametrize("stranger", [EVE, OPERATOR, NOBODY, Identity("asterisk", OPERATOR.scopes)])
async def test_strangers(stage: ExchangeStage, stranger: Identity) -> None:
    """Nobody but a party sends or reads, whatever he may do otherwise."""
    with pytest.raises(CallForbiddenError):
        await stage.exchange.send(CALL, stranger, "bob", "hangup", {})
    with pytest.raises(CallForbiddenError):
        await stage.exchange.read(CALL, stranger)


async def test_unknown_call(stage: ExchangeStage) -> None:
    """There is nothing to send to or to read of a call that there is not."""
    with pytest.raises(CallNotFoundError):
        await stage.exchange.send("none", ALICE, "bob", "hangup", {})
    with pytest.raises(CallNotFoundError):
        await stage.exchange.read("none", ALICE)


async def test_ended_call(stage: ExchangeStage) -> None:
    """Into an ended call nothing is sent, but what was sent can be read."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    stage.end_call()
    with pytest.raises(CallEndedError):
        await stage.exchange.send(CALL, ALICE, "bob", "hangup", {})
    assert await stage.read_kinds(BOB) == ["offer", "hangup"]


@pytest.mark.parametrize("to_user", ["eve", "alice", "", "SIP/1002"])
async def test_addressees_who_are_none(stage: ExchangeStage, to_user: str) -> None:
    """A message is for one other party; not for strangers and not for oneself."""
    with pytest.raises(UnknownAddresseeError):
        await stage.exchange.send(CALL, ALICE, to_user, "hangup", {})


@pytest.mark.parametrize(
    ("participant", "to_user"),
    [("SIP/1002", "bob"), ("SIP/1002", "SIP/1002"), ("1002", "1002"), ("PJSIP/desk", "PJSIP/desk")],
)
async def test_user_behind_a_dial_string(participant: str, to_user: str) -> None:
    """Whose telephone a participant is is a party, under his name and that of the telephone."""
    stage = ExchangeStage(participant, extensions={"1002": "bob", "PJSIP/desk": "bob"})
    sent = await stage.exchange.send(CALL, ALICE, to_user, "offer", OFFER)
    assert sent.to_user == "bob"
    await stage.exchange.send(CALL, BOB, "alice", "answer", ANSWER)
    assert await stage.read_kinds(BOB) == ["offer"]
    assert await stage.read_kinds(ALICE) == ["answer"]


async def test_telephone_of_several_users() -> None:
    """A telephone that several share names none of them."""
    stage = ExchangeStage("SIP/1002", extensions={"1002": "bob,carol"})
    with pytest.raises(UnknownAddresseeError):
        await stage.exchange.send(CALL, ALICE, "SIP/1002", "offer", OFFER)
    assert (await stage.exchange.send(CALL, ALICE, "carol", "offer", OFFER)).to_user == "carol"


async def test_messages_for_asterisk_go_to_the_gateway(stage: ExchangeStage) -> None:
    """The gateway gets them with their sender, and no mailbox does."""
    sent = await stage.exchange.send(CALL, ALICE, "asterisk", "offer", OFFER)
    assert (sent.to_user, sent.sequence_number) == ("asterisk", 1)
    assert stage.gateway.received == [(CALL, "alice", "offer")]
    assert stage.sockets.pushed == []
    assert await stage.read_kinds(BOB) == []


async def test_gateway_refuses(stage: ExchangeStage) -> None:
    """What the gateway refuses is refused to the sender."""
    stage.gateway.refusal = WrongStateError("There is no leg to mute")
    with pytest.raises(WrongStateError, match="There is no leg to mute"):
        await stage.exchange.send(CALL, ALICE, "asterisk", "mute", {})
    assert stage.measures.signaling_messages.values == {}


async def test_no_gateway(stage: ExchangeStage) -> None:
    """Without a gateway users still speak with each other."""
    stage.exchange.gateway = None
    with pytest.raises(NoGatewayError):
        await stage.exchange.send(CALL, ALICE, "asterisk", "offer", OFFER)
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)


async def test_gateway_delivers(stage: ExchangeStage) -> None:
    """What comes from Asterisk is read like everything else."""
    stage.exchange.deliver(
        CALL, from_user="asterisk", to_user="alice", kind=SignalKind.RINGING, payload={}
    )
    (message,) = await stage.exchange.read(CALL, ALICE)
    assert (message.from_user, message.kind, message.payload) == ("asterisk", "ringing", {})
    assert stage.sockets.pushed == [("alice", "ringing")]


async def test_guest_of_asterisk(stage: ExchangeStage) -> None:
    """Whom the gateway has rung in a call is a party of it, as after a transfer to him."""
    stage.exchange.deliver(
        CALL, from_user="asterisk", to_user="eve", kind=SignalKind.OFFER, payload=OFFER
    )
    await stage.exchange.send(CALL, EVE, "asterisk", "answer", ANSWER)
    assert stage.gateway.received == [(CALL, "eve", "answer")]
    assert await stage.read_kinds(EVE) == ["offer"]


async def test_admitted_again(stage: ExchangeStage) -> None:
    """Who spoke with Asterisk in the last run goes on, and is told of the end by the gateway."""
    stage.exchange.admit(CALL, "eve")
    await stage.exchange.send(CALL, EVE, "asterisk", "hangup", {})
    stage.exchange.end(CALL)
    assert stage.sockets.pushed == []


async def test_waits_for_a_message(stage: ExchangeStage) -> None:
    """A reader who waits is woken by the message, and is present meanwhile."""
    reading = asyncio.create_task(stage.read_kinds(BOB, wait=30))
    await stage.sockets.crowd()
    assert stage.sockets.waiting == ["bob"]
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    assert await reading == ["offer"]
    assert stage.sockets.waiting == []


async def test_does_not_wait_for_what_is_there(stage: ExchangeStage) -> None:
    """Who has something to read gets it at once."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    assert await stage.read_kinds(BOB, wait=30) == ["offer"]


async def test_waits_so_long_at_most(stage: ExchangeStage) -> None:
    """A wait ends without a message."""
    assert await stage.read_kinds(BOB, wait=0.01) == []


async def test_too_many_waits(stage: ExchangeStage) -> None:
    """The fifth wait of a user is refused; others may wait, and so may he when one has ended."""
    waits = [asyncio.create_task(stage.read_kinds(BOB, wait=30)) for _ in range(4)]
    await stage.sockets.crowd(4)
    with pytest.raises(TooManyWaitsError):
        await stage.read_kinds(BOB, wait=30)
    assert await stage.read_kinds(ALICE, wait=0.01) == []
    waits[0].cancel()
    await asyncio.gather(waits[0], return_exceptions=True)
    assert await stage.read_kinds(BOB, wait=0.01) == []
    stage.exchange.close()
    assert await asyncio.gather(*waits[1:]) == [[], [], []]


async def test_close_ends_waits(stage: ExchangeStage) -> None:
    """When the service stops nobody waits any longer, or again."""
    reading = asyncio.create_task(stage.read_kinds(BOB, wait=30))
    await stage.sockets.crowd()
    stage.exchange.close()
    assert await reading == []
    assert await stage.read_kinds(BOB, wait=30) == []


async def test_end_is_told(stage: ExchangeStage) -> None:
    """Users who speak with each other are told of the end, those who have hung up not again."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    await stage.exchange.send(CALL, BOB, "alice", "hangup", {})
    stage.exchange.end(CALL)
    stage.exchange.end(CALL)
    assert await stage.read_kinds(ALICE) == ["hangup"]
    offer, hangup = await stage.exchange.read(CALL, BOB)
    assert (offer.kind, hangup.kind, hangup.from_user) == ("offer", "hangup", "asterisk")
    assert hangup.payload == {"reason": "ended", "status": None, "cause": None}


async def test_end_is_told_to_who_waits(stage: ExchangeStage) -> None:
    """A callee who waits for an offer is told that none will come."""
    reading = asyncio.create_task(stage.read_kinds(BOB, wait=30))
    await stage.sockets.crowd()
    stage.exchange.end(CALL)
    assert await reading == ["hangup"]


async def test_gateway_tells_of_the_end_itself(stage: ExchangeStage) -> None:
    """Who speaks with Asterisk hears from its gateway why the call ended, and only once."""
    await stage.exchange.send(CALL, ALICE, "asterisk", "offer", OFFER)
    stage.exchange.deliver(
        CALL, from_user="asterisk", to_user="bob", kind=SignalKind.OFFER, payload=OFFER
    )
    stage.exchange.end(CALL)
    assert await stage.read_kinds(ALICE) == []
    assert await stage.read_kinds(BOB) == ["offer"]


async def test_a_candidate_makes_no_leg(stage: ExchangeStage) -> None:
    """Who has said nothing to Asterisk that it would have a leg for hears of the end from here."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    await stage.exchange.send(CALL, BOB, "alice", "answer", ANSWER)
    candidate = {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}
    await stage.exchange.send(CALL, ALICE, "asterisk", "ice_candidate", candidate)
    stage.exchange.end(CALL)
    assert [each.kind for each in await stage.exchange.read(CALL, ALICE)] == ["answer", "hangup"]


async def test_end_of_a_call_without_messages(stage: ExchangeStage) -> None:
    """Nothing is kept of a call that nobody signalled in."""
    stage.exchange.end(CALL)
    assert stage.sockets.pushed == []


async def test_kept_for_ten_minutes(stage: ExchangeStage) -> None:
    """After ten minutes nothing is left to read of a call that ended, though its record is."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    stage.end_call()
    stage.exchange.end(CALL)
    stage.time = 599.0
    assert await stage.read_kinds(BOB) == ["offer", "hangup"]
    stage.time = 600.0
    assert await stage.read_kinds(BOB) == []


async def test_forget(stage: ExchangeStage) -> None:
    """Of a call that never was nothing is left."""
    await stage.exchange.send(CALL, ALICE, "bob", "offer", OFFER)
    stage.exchange.forget(CALL)
    stage.exchange.forget(CALL)
    assert await stage.read_kinds(BOB) == []


async def test_trusted_party() -> None:
    """A trusted key that made the call itself is a party like any other."""
    stage = ExchangeStage("bob")
    alice = Identity("alice", frozenset({Scope.SERVICE}))
    assert (await stage.exchange.send(CALL, alice, "bob", "hangup", {})).from_user == "alice"
