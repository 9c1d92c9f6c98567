"""Documents as Asterisk 22.10 writes them."""

import json
from collections.abc import Mapping
from typing import Any

CHANNEL: Mapping[str, Any] = {
    "id": "1700000000.1",
    "name": "PJSIP/1001-00000001",
    "state": "Up",
    "protocol_id": "a1b2",
    "caller": {"name": "Hélène", "number": "1001"},
    "connected": {"name": "", "number": "1002"},
    "accountcode": "",
    "dialplan": {
        "context": "sky-genesis-voip",
        "exten": "1002",
        "priority": 3,
        "app_name": "Stasis",
        "app_data": "sky-genesis-voip",
    },
    "creationtime": "2026-11-23T00:00:16.871+0000",
    "language": "en",
    "channelvars": {"SGE_CALL_ID": "c-1", "SGE_STATUS": "REGISTERED"},
}

BRIDGE: Mapping[str, Any] = {
    "id": "sge-1",
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "bridge_class": "stasis",
    "creator": "Stasis",
    "name": "a call",
    "channels": ["1700000000.1", "1700000000.2"],
    "creationtime": "2026-11-23T00:00:17.000+0000",
    "video_mode": "talker",
}

ENDPOINT: Mapping[str, Any] = {
    "technology": "PJSIP",
    "resource": "1001",
    "state": "online",
    "channel_ids": ["1700000000.1"],
}


def event(kind: str, **fields: Any) -> str:
    """The text of an event of `kind`."""
    common = {
        "type": kind,
        "timestamp": "2026-11-23T00:00:18.500+0100",
        "asterisk_id": "02:00:00:00:00:01",
        "application": "sky-genesis-voip",
    }
    return json.dumps({**common, **fields})
