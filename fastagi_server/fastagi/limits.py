"""Deadlines of a session, in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each stage may take. The reasons stand with the values.

    `environment`: Asterisk sends it at once; a slow one is an attack or a broken network.
    `dead_zone`: what a route may still do after a hang-up; Asterisk keeps the channel meanwhile.
    `settle`: how long a command that was given up is waited for before the session is given up.
    `linger`: reading to Asterisk's end of stream after our half-close. Closing earlier could reset
    the connection and lose the last variables, so it is long; lingering costs memory only.
    """

    environment: float = 5.0
    dead_zone: float = 5.0
    settle: float = 1.0
    linger: float = 5.0
