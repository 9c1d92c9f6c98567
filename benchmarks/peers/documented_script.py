"""The documented sge-voip-integration.py: classic AGI over stdin and stdout, with requests.

It does what the integration document describes, one process a call, except for the one
fault that would end it on nearly every call (a header without a value) and that it reads
the reply of each command.
"""

import os
import sys

import requests


def read_headers() -> dict[str, str]:
    """The AGI request of this process, by header name."""
    headers: dict[str, str] = {}
    for line in sys.stdin:
        if not line.strip():
            break
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    return headers


def set_variable(name: str, value: str) -> None:
    """Set one channel variable and wait for the reply."""
    print(f'SET VARIABLE {name} "{value}"', flush=True)
    sys.stdin.readline()


def main() -> None:
    """Register the call; tell the dialplan the ids, or the error."""
    headers = read_headers()
    base = os.environ.get("SGE_API_URL", "http://localhost:8080/api/v1/voip")
    try:
        response = requests.post(
            f"{base}/calls",
            headers={
                "Authorization": f"Bearer {os.environ['SGE_JWT_TOKEN']}",
                "Content-Type": "application/json",
            },
            json={
                "participants": [f"SIP/{headers['agi_extension']}"],
                "call_type": "audio",
                "metadata": {
                    "asterisk_call_id": headers["agi_uniqueid"],
                    "caller_id": headers["agi_callerid"],
                },
            },
            timeout=5,
        )
        if response.status_code == requests.codes.created:
            call = response.json()
            set_variable("SGE_CALL_ID", call["id"])
            set_variable("SGE_CHANNEL_ID", call["metadata"]["asterisk_channel_id"])
        else:
            set_variable("SGE_ERROR", "API call failed")
    except (requests.RequestException, KeyError, ValueError) as error:
        set_variable("SGE_ERROR", f"Integration error: {error}")


if __name__ == "__main__":
    main()
