"""The fixed job that every Python peer does, apart from how it speaks AGI and HTTP.

Read the request's headers, register the call with one POST, read the two ids from the answer.
"""

import argparse
import os
from collections.abc import Mapping
from typing import Any


def arguments() -> argparse.Namespace:
    """The command line of a peer: `--port` to listen on, `--api` base URL of the SGE API."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api", required=True)
    parser.add_argument("--uvloop", action="store_true")
    return parser.parse_args()


def authorization() -> dict[str, str]:
    """The request header that carries the bearer token of the environment."""
    return {"Authorization": f"Bearer {os.environ['SGE_JWT_TOKEN']}"}


def registration(headers: Mapping[str, str]) -> dict[str, Any]:
    """The documented body of POST /calls for one AGI request."""
    return {
        "participants": [f"SIP/{headers['agi_extension']}"],
        "call_type": "audio",
        "metadata": {
            "asterisk_call_id": headers["agi_uniqueid"],
            "caller_id": headers["agi_callerid"],
        },
    }


def variables(call: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Channel variables, by name, that the answer of the API asks for."""
    return (
        ("SGE_CALL_ID", call["id"]),
        ("SGE_CHANNEL_ID", call["metadata"]["asterisk_channel_id"]),
    )
