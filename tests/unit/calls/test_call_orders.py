"""What may be ordered, and what an order means."""

from dataclasses import replace

import pytest
from call_samples import NOON

from fastagi_server.calls.errors import InvalidCallError
from fastagi_server.calls.models import CallType, ChannelName
from fastagi_server.calls.orders import CallOrder, arriving_channel
from fastagi_server.calls.participants import is_dial_string


def order(*participants: str, **metadata: str) -> CallOrder:
    """An order of an audio call."""
    return CallOrder(participants, CallType.AUDIO, metadata)


@pytest.mark.parametrize(
    "participant",
    [
        "SIP/1001",
        "sip/1001",
        "PJSIP/1001",
        "PJSIP/+32470123456@trunk",
        "PJSIP/1001/sip:1001@192.0.2.1:5060;transport=tcp",
        "PJSIP/1001/sip:1001@[2001:db8::1]",
        "IAX2/office/*97",
        "DAHDI/g1/5551212",
        "user456",
        "alice@example.org",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11",
    ],
)
def test_good_participants(participant: str) -> None:
    """Dial strings of telephones and user ids may be rung."""
    assert order(participant).participants == (participant,)


@pytest.mark.parametrize(
    "participant",
    [
        "",
        " ",
        "SIP/",
        "/1001",
        "SIP/1001&SIP/1002",
        "SIP/1001\n",
        "SIP/1001\r\nX: y",
        "SIP/1001\x00",
        "SIP/10 01",
        "SIP/1001,30,g",
        "SIP/${EXTEN}",
        "SIP/1001^2",
        "SIP/1001|2",
        'SIP/"1001"',
        "SIP/1001(a)",
        "SIP/\u0661\u0660\u0660\u0661",
        "user&other",
        "user 456",
        "-user",
        "usér",
        "x" * 257,
    ],
)
def test_bad_participants(participant: str) -> None:
    """What Asterisk could read as more than one telephone is refused, by position only."""
    with pytest.raises(InvalidCallError, match=r"participants\[1\] is") as refusal:
        order("SIP/1001", participant)
    assert participant.strip() == "" or participant not in str(refusal.value)


@pytest.mark.parametrize("participant", ["Local/1@ctx", "local/1@ctx", "AudioSocket/h:1", "X/1"])
def test_technologies_that_may_not_be_rung(participant: str) -> None:
    """A technology that runs dialplan, sends media anywhere, or is unknown is refused."""
    with pytest.raises(InvalidCallError, match="technology that may not be rung"):
        order(participant)


@pytest.mark.parametrize(("count", "is_good"), [(0, False), (1, True), (50, True), (51, False)])
def test_number_of_participants(count: int, is_good: bool) -> None:  # noqa: FBT001
    """A call has 1 to 50 participants."""
    participants = tuple(f"SIP/{number}" for number in range(count))
    if is_good:
        assert len(order(*participants).participants) == count
    else:
        with pytest.raises(InvalidCallError, match="participants must have 1 to 50 entries"):
            order(*participants)


def test_dial_strings_and_users() -> None:
    """A slash tells a dial string from a user id."""
    assert [is_dial_string("SIP/1001"), is_dial_string("user456")] == [True, False]


def test_channel_to_adopt() -> None:
    """The unique id, with the name of the system, names the channel to adopt."""
    adopting = order("SIP/1001", asterisk_call_id="17.4", asterisk_system="pbx1")
    assert adopting.channel == ChannelName("pbx1", "17.4")
    assert not adopting.needs_pbx


def test_channel_of_the_only_system() -> None:
    """Without a system's name the channel is one of the nameless system."""
    assert order("SIP/1001", asterisk_call_id="17.4").channel == ChannelName("", "17.4")


def test_empty_unique_id_adopts_nothing() -> None:
    """An empty unique id is no channel, so the dial string has to be rung."""
    assert order("SIP/1001", asterisk_call_id="").channel is None
    assert order("SIP/1001", asterisk_call_id="").needs_pbx


def test_users_need_no_pbx() -> None:
    """A call between users only is signalled without the PBX."""
    assert not order("bob", "carol").needs_pbx
    assert order("bob", "SIP/1001").needs_pbx


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({f"k{number}": "" for number in range(65)}, "more than 64 entries"),
        ({"": "x"}, "1 to 64 printable characters"),
        ({"k" * 65: "x"}, "1 to 64 printable characters"),
        ({"a\nb": "x"}, "1 to 64 printable characters"),
        ({"k": "x" * 1025}, "text of at most 1024 characters"),
        ({"k": "a\0b"}, "text of at most 1024 characters"),
        ({"k": "a\ud83d"}, "text of at most 1024 characters"),
        ({"k\udc00": "x"}, "1 to 64 printable characters"),
        ({"asterisk_call_id": "1" * 151}, "asterisk_call_id must have at most 150"),
        ({"asterisk_call_id": "17.4\n"}, "asterisk_call_id must have at most 150"),
        ({"asterisk_system": "s" * 129}, "asterisk_system must have at most 128"),
    ],
)
def test_limits_of_metadata(metadata: dict[str, str], complaint: str) -> None:
    """Metadata that is too much, or could hurt a database or a log, is refused."""
    with pytest.raises(InvalidCallError, match=complaint):
        CallOrder(("bob",), CallType.AUDIO, metadata)


def test_metadata_may_be_anything_else() -> None:
    """Names in any script and line breaks in values are kept."""
    assert order("bob", caller_name="Zoë\nBrüggemann 📞").metadata == {
        "caller_name": "Zoë\nBrüggemann 📞"
    }


def test_fingerprint_is_of_the_meaning() -> None:
    """The order of metadata does not matter; anything else does."""
    first = CallOrder(("bob",), CallType.AUDIO, {"a": "1", "b": "2"})
    same = CallOrder(("bob",), CallType.AUDIO, {"b": "2", "a": "1"})
    others = {
        CallOrder(("bob",), CallType.VIDEO, {"a": "1", "b": "2"}).fingerprint,
        CallOrder(("bob", "carol"), CallType.AUDIO, {"a": "1", "b": "2"}).fingerprint,
        CallOrder(("bob",), CallType.AUDIO, {"a": "1", "b": "3"}).fingerprint,
        CallOrder(("bob",), CallType.AUDIO, {"a": "1"}).fingerprint,
    }
    assert first.fingerprint == same.fingerprint
    assert len(first.fingerprint) == 32
    assert len(others) == 4
    assert first.fingerprint not in others


def test_fingerprint_of_an_adoption_is_its_channel() -> None:
    """What else is told about a channel does not make it another order; another system does."""
    first = order("SIP/1001", asterisk_call_id="17.4", asterisk_system="a")
    more = order("SIP/1002", asterisk_call_id="17.4", asterisk_system="a", caller_id="1002")
    elsewhere = order("SIP/1001", asterisk_call_id="17.4", asterisk_system="b")
    assert first.fingerprint == more.fingerprint
    assert first.fingerprint != elsewhere.fingerprint


@pytest.mark.parametrize(
    ("metadata", "channel"),
    [({"asterisk_call_id": "17.4"}, "17.4"), ({}, None)],
    ids=["arrived", "placed"],
)
def test_the_channel_that_a_call_came_by(metadata: dict[str, str], channel: str | None) -> None:
    """None for a call that is placed; the same when the record itself names no channel."""
    call = CallOrder(("SIP/1001",), CallType.AUDIO, metadata).draft("alice", NOON)
    assert arriving_channel(call) == channel
    assert arriving_channel(replace(call, channel=None)) == channel
