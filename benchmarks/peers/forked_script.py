"""Peer: the documented script, one process a call, as Asterisk forks it.

A FastAGI front does Asterisk's part, so that the same load generator measures it: it gives
the socket to the script as standard input and output and waits for its end.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from benchmarks.peers.job import arguments

_SCRIPT = str(Path(__file__).with_name("documented_script.py"))


def reap(_signal: int, _frame: object) -> None:
    """Wait for every script that has ended, which adds its CPU time to ours."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def serve(port: int, api: str) -> None:
    """Fork the script for each connection, for ever."""
    signal.signal(signal.SIGCHLD, reap)
    environment = {**os.environ, "SGE_API_URL": api}
    with socket.create_server(("127.0.0.1", port), backlog=2048) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                os.posix_spawn(
                    sys.executable,
                    [sys.executable, _SCRIPT],
                    environment,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, connection.fileno(), 0),
                        (os.POSIX_SPAWN_DUP2, connection.fileno(), 1),
                    ],
                )


if __name__ == "__main__":
    given = arguments()
    serve(given.port, given.api)
