"""What the wire costs a service that has no manager interface."""

import subprocess
import sys


def test_the_link_needs_no_panoramisk_until_it_connects() -> None:
    """Its memory and its start are for those who use it."""
    code = "import sys, fastagi_server.ami.link; print('panoramisk' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "False\n"
