"""A board as the service tells it."""

from typing import Any

AT = "2026-01-01T12:00:00Z"

EVIL = "evil\x1b[2J\x1b]0;owned\x07[bold]x[/bold]\u202egnp\r\n"
"""A name that would clear the screen, change the title, and turn the text around."""


def call(number: int, status: str = "connected", **fields: Any) -> dict[str, Any]:
    """A call of two minutes, one of them in conversation."""
    return {
        "id": f"call-{number}",
        "from": "Anna (1002)",
        "to": "1001",
        "kind": "audio",
        "status": status,
        "since": "2026-01-01T11:58:00Z",
        "answered_at": "2026-01-01T11:59:00Z" if status == "connected" else None,
        **fields,
    }


def board(**parts: Any) -> dict[str, Any]:
    """A board on which little happens."""
    return {
        "at": AT,
        "verdict": {"word": "working", "reasons": []},
        "figures": {
            "calls": len(parts.get("calls", [])),
            "rooms": len(parts.get("rooms", [])),
            "channels": 4,
            "bridges": 2,
            "endpoints": 5,
            "endpoints_online": 2,
            "mos": 4.25,
            "agi_sessions": 0,
            "outbox_pending": 3,
            "outbox_dead": 0,
            "outbox_oldest_seconds": 0,
            "calls_per_minute": None,
            "registrations_per_minute": 12,
            "registrations_failed": 0,
            "register_p95_ms": 7.4,
            "sge_p95_ms": None,
        },
        "links": [
            {"id": "ari", "state": "up", "level": "good", "since": AT, "error": ""},
        ],
        "calls": [],
        "rooms": [],
        "endpoints": [],
        "errors": [],
        **parts,
    }
