"""The call on a terminal: what each side saw, in the order in which it happened."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from textwrap import wrap
from typing import Any

from lab.demo.story import Exchange, Said, Story

WIDTH = 98
UNBROKEN = "\u00a0"
SHOWN_REQUEST = ("agi_network_script", "agi_channel", "agi_uniqueid", "agi_callerid")
SHOWN_ANSWER = ("id", "status", "answered_at", "ring_ms", "duration_ms", "metadata")
SHOWN_METADATA = ("asterisk_channel_id",)


def report(story: Story) -> Iterator[str]:
    """The lines of the report; a heading begins with `# `."""
    yield "# AGI: the dialplan asks the service (ms since Asterisk connected)"
    yield from _dialogue(story)
    yield "# HTTP: the service asks SGE"
    for exchange in story.exchanges:
        yield from _exchange(exchange)
    yield "# Dialplan: it goes on with these variables"
    for name, value in story.variables.items():
        yield f"{name:<16}{value or '(empty)'}"
    if story.phones:
        yield "# SIP: the phones (> sent, < received)"
    for user, messages in story.phones.items():
        yield f"{user:<8}{' '.join(messages)}"
    yield "# Record: GET /calls/{id} over the life of the call (ms since it was placed)"
    for moment in story.life:
        yield f"{moment.ms:8.0f} ms  {moment.status}"
    yield f"{'':13}{_outcome(story.record)}"
    yield "# Timings"
    yield f"{story.registered_ms:8.0f} ms  from AGI connected to the last variable set"
    ring_ms, talk_ms = story.record["ring_ms"], story.record["answered_ms"]
    yield f"{ring_ms:8} ms  ringing, until the two were connected"
    own = "" if story.pbx_talk_ms is None else f" ({story.pbx_talk_ms} in Asterisk's own record)"
    yield f"{talk_ms:8} ms  talking{own}"


def _dialogue(story: Story) -> Iterator[str]:
    environment = [said for said in story.dialogue if said.text.startswith("agi_")]
    shown = [said for said in environment if said.text.partition(":")[0] in SHOWN_REQUEST]
    yield from map(_line, shown)
    yield f"{'':17}(and {len(environment) - len(shown)} lines more)"
    conversation = story.dialogue[len(environment) :]
    for said, answer in pairwise((*conversation, Said(0, "", ""))):
        if said.by == "service":
            yield f"{_line(said):<85}{answer.text}"


def _line(said: Said) -> str:
    return _cut(f"{said.ms:6.0f}  {said.by:<9}{said.text}")


def _exchange(exchange: Exchange) -> Iterator[str]:
    key = f"   Idempotency-Key: {exchange.key}" if exchange.key else ""
    yield _cut(f"{_short(exchange.target, exchange.answer['id'])}{key}")
    yield from _document("   >", exchange.question)
    yield from _document(f"{exchange.status:>4} <", _chosen(exchange.answer))


def _chosen(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The telling fields of a call."""
    chosen = {name: answer[name] for name in SHOWN_ANSWER if answer.get(name) is not None}
    metadata = chosen.get("metadata", {})
    chosen["metadata"] = {name: metadata[name] for name in SHOWN_METADATA if name in metadata}
    if answer["status"] != "initiating":
        del chosen["id"], chosen["metadata"]
    return chosen


def _document(mark: str, document: Mapping[str, Any]) -> Iterator[str]:
    """A JSON object in as many lines as it takes, broken between fields."""
    text = json.dumps(document, separators=(",\n", ":"))
    lines = wrap(
        # Only the breaks between fields are left for it to break at.
        text.replace(" ", UNBROKEN).replace("\n", " "),
        WIDTH,
        initial_indent=f"{mark:<7}",
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (line.replace(UNBROKEN, " ") for line in lines)


def _outcome(record: Mapping[str, Any]) -> str:
    return (
        f"hangup_cause {record['hangup_cause']}, dial_status {record['dial_status']},"
        f" ring_ms {record['ring_ms']}, answered_ms {record['answered_ms']}"
    )


def _short(target: str, call_id: str) -> str:
    return target.replace(call_id, "{id}")


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
