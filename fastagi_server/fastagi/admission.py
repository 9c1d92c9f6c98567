"""Who may connect, and how many: decided before a byte is read.

A refusal is always an answer. Asterisk has no time-out after connect, so a connection that is left
in the backlog, or closed without a word, costs a caller seconds or counts as success.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_SESSIONS = 10_000
"""Sessions open at once, of which each costs a few kilobytes."""


class UnprotectedBindError(ValueError):
    """The server was asked to listen beyond loopback with nothing that keeps strangers out."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The rules. `allow` empty means every address; `secret` empty means no challenge.

    `secret` is what `${SGE_AGI_SECRET}` holds in the dialplan's globals: the server asks Asterisk
    for `${SHA1(${SGE_AGI_SECRET}:nonce)}`, so that the secret itself never crosses the network.
    """

    max_sessions: int = MAX_SESSIONS
    allow: Sequence[Network] = ()
    secret: str = ""
    unprotected: bool = False

    def check_bind(self, host: str) -> None:
        """Raise `UnprotectedBindError` for an open door: AGI is a shell on the PBX.

        A name is taken for what it resolves to only when it is `localhost`; anything else counts as
        reachable.
        """
        if self.allow or self.secret or self.unprotected or is_loopback(host):
            return
        raise UnprotectedBindError(
            f"refusing to listen on {host}: whoever connects can pose as your PBX. Set"
            " FASTAGI_ALLOW (addresses of the PBX) or FASTAGI_SECRET (challenge), or"
            " FASTAGI_UNPROTECTED=true if a firewall stands in front"
        )

    def refusal(self, peer: str, open_sessions: int) -> str:
        """Why a connection from this address is refused, "" when it is welcome.

        `open_sessions` counts it too, but none that was refused.
        """
        if self.allow and not self._allows(peer):
            return "address_not_allowed"
        if open_sessions > self.max_sessions:
            return "overloaded"
        return ""

    def _allows(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.allow)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach what listens on this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
