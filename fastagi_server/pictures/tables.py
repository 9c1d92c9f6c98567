"""The board's parts as tables. Every text from outside goes through `words.plain`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from fastagi_server.pictures.asking import Board
from fastagi_server.pictures.words import figure, lasting, plain

Item = Mapping[str, Any]

GOOD, WARN, BAD = Style(color="green"), Style(color="yellow"), Style(color="red", bold=True)
DIM = Style(dim=True)

_LEVELS = {"good": GOOD, "warn": WARN, "bad": BAD, "working": GOOD, "degraded": WARN, "down": BAD}
_MARKS = {"good": "●", "warn": "▲", "bad": "■", "working": "●", "degraded": "▲", "down": "■"}
_STATUSES = {
    "ringing": (WARN, "ringing", 0),
    "initiating": (DIM, "starting", 1),
    "on_hold": (WARN, "on hold", 2),
    "connected": (GOOD, "connected", 3),
}


def calls(board: Board, limit: int | None = None) -> RenderableType:
    """The active calls, those that wait for somebody first, and how many more there are."""
    table = _table("State:9", "From", "To", "Type:10", ">Duration:8")
    found = sorted(board["calls"], key=lambda call: (_status(call)[2], call["since"]))
    for call in found[:limit]:
        style, word, _ = _status(call)
        since = call["answered_at"] or call["since"]
        _add(
            table,
            Text(word, style),
            call["from"],
            call["to"],
            call["kind"],
            lasting(since, board["at"]),
        )
    return _with_rest(table, "calls", len(found[:limit]), board["figures"]["calls"])


def rooms(board: Board, limit: int | None = None) -> RenderableType:
    """The active rooms."""
    table = _table("Room", "Number:6", ">Present:7", ":17", ">Open for:8")
    found = sorted(board["rooms"], key=lambda room: str(room["name"]))[:limit]
    for room in found:
        words = [
            word
            for word, holds in (("recording", room["is_recorded"]), ("locked", room["is_locked"]))
            if holds
        ]
        _add(
            table,
            room["name"],
            f"9{room['number']}" if room["number"] else "",
            f"{room['present']}/{room['seats']}",
            ", ".join(words),
            lasting(room["since"], board["at"]),
        )
    return _with_rest(table, "rooms", len(found), board["figures"]["rooms"])


def endpoints(board: Board, limit: int | None = None) -> RenderableType:
    """The endpoints of Asterisk, those in a call first."""
    if board["endpoints"] is None:
        return Text("endpoints are not known: no Asterisk can be asked", WARN)
    table = _table("Endpoint", "State:8", ">Channels:8")
    found: Sequence[Item] = board["endpoints"][:limit]
    for endpoint in found:
        style = GOOD if endpoint["state"] == "online" else DIM
        _add(table, endpoint["id"], Text(plain(endpoint["state"]), style), endpoint["channels"])
    total = board["figures"]["endpoints"] or len(found)
    return _with_rest(table, "endpoints", len(found), int(total))


def links(board: Board) -> RenderableType:
    """What the telephone stands on."""
    table = _table("System:8", "State:10", ">For:9", "Why")
    for link in board["links"]:
        level = link["level"]
        _add(
            table,
            link["id"],
            Text(f"{_MARKS[level]} {plain(link['state'])}", _LEVELS[level]),
            lasting(link["since"], board["at"]),
            link["error"],
        )
    return table


def status(board: Board) -> RenderableType:
    """Whether the telephone works, and the figures, in three lines of text."""
    word, f = board["verdict"]["word"], board["figures"]
    line = Text(f"{_MARKS[word]} {word.upper()}", _LEVELS[word] + Style(bold=True))
    reasons = ", ".join(map(plain, board["verdict"]["reasons"]))
    if reasons:
        line.append(f"  {reasons}", _LEVELS[word])
    online = f"{figure(f['endpoints_online'])} of {figure(f['endpoints'])}"
    first = (
        f"calls {figure(f['calls'])}   rooms {figure(f['rooms'])}   endpoints {online}"
        f"   channels {figure(f['channels'])}   MOS {figure(f['mos'], 1)}"
    )
    second = (
        f"registrations {figure(f['registrations_per_minute'])}/min"
        f"   p95 {figure(f['register_p95_ms'], 1, ' ms')}"
        f"   SGE p95 {figure(f['sge_p95_ms'], 1, ' ms')}"
        f"   outbox {figure(f['outbox_pending'])}, dead {figure(f['outbox_dead'])}"
    )
    return Group(line, Text(first), Text(second))


def letters(title: str, found: Iterable[Any]) -> RenderableType:
    """Entries of the outbox, under a title."""
    table = _table(">Number:6", "Kind:8", "Key", ">Attempts:8", ">Age:9", "Why")
    for letter in found:
        age = f"{letter.age_seconds:,.0f} s"
        _add(table, letter.number, letter.kind, letter.key, letter.attempts, age, letter.code)
    return (
        Group(Text(title, Style(bold=True)), table) if table.rows else Text(f"{title}: none", DIM)
    )


def _table(*columns: str) -> Table:
    """A table of columns like `>Age:9`: to the right, nine wide; others share what is left.

    What does not fit in a column is cut, so that each thing has one line.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True, header_style=DIM)
    for column in columns:
        name, _, width = column.removeprefix(">").partition(":")
        table.add_column(
            name,
            justify="right" if column.startswith(">") else "left",
            width=int(width) if width else None,
            ratio=None if width else 1,
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _add(table: Table, *cells: object) -> None:
    # Text and not str: a str would be read as markup.
    table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in cells))


def _with_rest(table: Table, name: str, shown: int, total: int) -> RenderableType:
    if total == 0:
        return Text(f"no active {name}" if name != "endpoints" else "no endpoints", DIM)
    more = total - shown
    return Group(table, Text(f"and {more:,} more", DIM)) if more > 0 else table


def _status(call: Item) -> tuple[Style, str, int]:
    status = str(call["status"])
    return _STATUSES.get(status, (DIM, plain(status), 4))
