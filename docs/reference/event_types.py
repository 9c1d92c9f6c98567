"""The page of event types, from the table in the code."""

from docs.reference.markdown import code, page, table
from fastagi_server.events.models import TYPES


def event_types() -> str:
    """Every type of events."""
    return page(
        "Event types",
        """What `GET /api/v1/voip/events`, `fastagi-server events` and, of calls and rooms, webhooks
tell. Each event has `id`, `type`, `at`, `call`, `room`, `channel` and `data`; events of calls have
`actor`, `caller_id`, `participants` and `call_type` in `data`, those of rooms `actor`, `name` and
`number`, and all the facts of their line in the log. See [Follow what
happens](../how-to/events.md).""",
        table(("Type", "Meaning"), ((code(name), meaning) for name, meaning in TYPES.items())),
    )
