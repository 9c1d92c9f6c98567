"""Whose telephone a participant is.

A participant of a call is a user id or a dial string. The table says which extension or device is
whose, so that the user at `SIP/1002` may accept and end what rings there.
"""

from collections.abc import Mapping
from typing import Protocol

from fastagi_server.identities.browsers import NO_BROWSERS, BrowserEndpoint

_SIP = {"SIP", "PJSIP"}
"""One registration under two names: chan_sip's and its successor's."""


class Directory(Protocol):
    """Knows which identities a participant stands for."""

    def identities_of(self, participant: str) -> frozenset[str]:
        """The names of all identities that are this participant; of a user id, at least itself."""
        ...


class ExtensionTable:
    """A directory from a table of extensions or devices and their users.

    `users` maps an extension (`1001`) or a dial string (`PJSIP/desk-1`) to a user id, or to several
    with commas between. An extension stands for itself and for its dial strings of any technology
    (`SIP/1001`); `PJSIP/1001@trunk` is somebody else's 1001 beyond that trunk. What rings the
    browsers of a user, behind the endpoint `browsers`, stands for him.
    """

    def __init__(self, users: Mapping[str, str], browsers: BrowserEndpoint = NO_BROWSERS) -> None:
        self._browsers = browsers
        self._users = {
            _normalised(participant): frozenset(
                name.strip() for name in names.split(",") if name.strip()
            )
            for participant, names in users.items()
        }

    @property
    def users(self) -> frozenset[str]:
        """Everybody in the table."""
        return frozenset[str]().union(*self._users.values())

    def identities_of(self, participant: str) -> frozenset[str]:
        """See `Directory`."""
        _, slash, resource = participant.partition("/")
        users = self._users.get(_normalised(participant), frozenset())
        if not slash:
            return users | {participant}
        user = self._browsers.user_of(participant)
        if user is not None:
            return users | {user}
        return users | self._users.get(resource, frozenset())


def _normalised(participant: str) -> str:
    technology, slash, resource = participant.partition("/")
    if not slash:
        return participant
    technology = technology.upper()
    return f"{'PJSIP' if technology in _SIP else technology}/{resource}"
