"""kill -9 at any moment loses no call and makes none twice.

The server is killed under load, again and again; then what Asterisk was told is compared with what
the API has. `python -m tests.chaos --kills 2000` does it for long.
"""
