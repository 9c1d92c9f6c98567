"""What must be true of the call, so that the demonstration proves something."""

from collections.abc import Iterator

from lab.demo.story import CALLED, CALLER, RING_MS, SYSTEM, TALK_MS, Story

CLOCKS_MS = 250
"""How far apart two accounts of the same time may be on a busy machine."""


def checks(story: Story) -> Iterator[tuple[str, bool]]:
    """Each thing that must be true, in words, and whether it is."""
    yield from _dialplan_checks(story)
    yield from _request_checks(story)
    yield from _record_checks(story)
    yield from _phone_checks(story)


def faults(story: Story) -> list[str]:
    """What is not as it should be; empty when all is well."""
    return [words for words, is_true in checks(story) if not is_true]


def _dialplan_checks(story: Story) -> Iterator[tuple[str, bool]]:
    variables, record = story.variables, story.record
    channel = record["metadata"].get("asterisk_channel_id")
    yield "AGISTATUS is SUCCESS", variables["AGISTATUS"] == "SUCCESS"
    yield "SGE_STATUS is REGISTERED", variables["SGE_STATUS"] == "REGISTERED"
    yield "SGE_CALL_ID is the id of the record", variables["SGE_CALL_ID"] == record["id"]
    yield "SGE_CHANNEL_ID is the channel of the record", variables["SGE_CHANNEL_ID"] == channel
    yield "SGE_ERROR is empty", variables["SGE_ERROR"] == variables["SGE_ERROR_CODE"] == ""
    yield "the PBX has nothing to complain of", not story.complaints


def _request_checks(story: Story) -> Iterator[tuple[str, bool]]:
    words = [exchange.target.rpartition("/")[2] for exchange in story.exchanges]
    yield "SGE was asked to create, accept and end, once each", words == ["calls", "accept", "end"]
    statuses = [exchange.status for exchange in story.exchanges]
    yield "SGE answered 201, 200, 200", statuses == [201, 200, 200]
    if story.exchanges:
        first = story.exchanges[0]
        key = f"agi-{SYSTEM}-{story.record['metadata'].get('asterisk_call_id')}"
        yield "the idempotency key is system and channel", first.key == key
        yield "the participant is SIP/1001", first.question.get("participants") == [f"SIP/{CALLED}"]


def _record_checks(story: Story) -> Iterator[tuple[str, bool]]:
    record = story.record
    life = [moment.status for moment in story.life]
    yield (
        "the record was initiating, connected, ended",
        life
        == [
            "initiating",
            "connected",
            "ended",
        ],
    )
    yield "the caller is 1002", record["metadata"].get("caller_id") == CALLER
    yield "the hang-up cause is 16", record["hangup_cause"] == 16  # noqa: PLR2004 - normal clearing
    yield "the dial status is ANSWER", record["dial_status"] == "ANSWER"
    yield "it rang as long as the phone did", _at_least(record["ring_ms"], RING_MS)
    yield "they talked as long as the phones did", _at_least(record["answered_ms"], TALK_MS)
    if story.pbx_talk_ms is not None:
        apart = abs((record["answered_ms"] or 0) - story.pbx_talk_ms)
        yield "the PBX's own record has the same talking time", apart <= CLOCKS_MS


def _phone_checks(story: Story) -> Iterator[tuple[str, bool]]:
    for user, messages in story.phones.items():
        yield (
            f"phone {user} was answered and hung up",
            {"200", "BYE"} <= {word for message in messages for word in message.split()},
        )


def _at_least(measured: int | None, expected: int) -> bool:
    return measured is not None and measured >= expected - CLOCKS_MS
