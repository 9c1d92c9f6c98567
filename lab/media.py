"""The address that lets a browser of this machine exchange media with the lab's Asterisk.

Asterisk offers none of 127.0.0.0/8 as an ICE candidate, so rtp.conf maps another local address to
127.0.0.1. The lab uses one of the block for benchmarks (RFC 2544), which no network routes, and
gives it to the loopback interface: it leads nowhere but back to this machine.
"""

import subprocess

from lab import programs
from lab.errors import CommandError

MEDIA_ADDRESS = "198.18.0.1"

STEP_SECONDS = 10


def own_media_address() -> None:
    """Give this machine the address; it stays, and instances side by side share it.

    Raises CommandError where that cannot be done: without root, or without iproute2.
    """
    reason = programs.why_not("ip")
    if reason:
        raise CommandError(reason)
    # Not `add`: the second of two instances that start at once would fail.
    command = ["ip", "address", "replace", f"{MEDIA_ADDRESS}/32", "dev", "lo"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=STEP_SECONDS
    )
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {done.stderr.strip()}")
