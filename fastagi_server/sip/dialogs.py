"""The dialog of two user agents: what names it, and the requests within it (RFC 3261, 12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Self

from fastagi_server.sip.addresses import NameAddress, Parameters, Uri
from fastagi_server.sip.errors import SipError, SipSyntaxError
from fastagi_server.sip.fields import CSeq, Via
from fastagi_server.sip.headers import Field, Headers
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.replies import ALLOW, SDP_TYPE, SUPPORTED, Envelope, listed, lists

BRANCH_COOKIE = "z9hG4bK"
_RESTORED_STEP = 1000
"""By which the numbers of a restored dialog go ahead of its snapshot, which may be an old one."""

_TARGET_METHODS = frozenset({"INVITE", "UPDATE"})
_CREDENTIALS = ("Authorization", "Proxy-Authorization")


def uri_host(host: str) -> str:
    """A host name or an address as it stands in a URI: IPv6 goes into brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


@dataclass(frozen=True, slots=True)
class Origin:
    """What all messages of ours have in common.

    `host`, as in a URI, and `port` are where we listen; `fields` go into every request.
    """

    host: str
    port: int
    fields: tuple[Field, ...] = ()

    @property
    def sent_by(self) -> str:
        """The host and port as in a Via."""
        return f"{self.host}:{self.port}"

    def contact(self, user: str) -> str:
        """The URI at which a user is reached by us."""
        return str(Uri(user, self.host, self.port, Parameters((("transport", "tcp"),))))

    def via(self) -> str:
        """The Via of a new transaction."""
        branch = BRANCH_COOKIE + token_hex(12)
        return str(Via("TCP", self.sent_by, Parameters((("rport", None), ("branch", branch)))))


class Dialog:
    """One dialog, from the request that is to create it on.

    `remote` has no tag until the far end gave one. `target` and the routes are URIs and header
    values as they came. `number` is that of our last request, `heard` that of the far end's.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        call_id: str,
        local: NameAddress,
        remote: NameAddress,
        target: str,
        contact: str,
        routes: tuple[str, ...] = (),
        number: int = 0,
        heard: int = -1,
        allows_update: bool = False,
    ) -> None:
        self.origin = origin
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.target = target
        self.contact = contact
        self.routes = routes
        self.heard = heard
        self.allows_update = allows_update
        self._number = number

    @classmethod
    def called(cls, origin: Origin, request: Request, envelope: Envelope) -> Self:
        """The dialog that an INVITE of the far end creates. Raises `SipSyntaxError`."""
        contacts = request.headers.elements("Contact")
        if not contacts:
            raise SipSyntaxError("an INVITE without Contact")
        return cls(
            origin,
            call_id=envelope.call_id,
            local=envelope.receiver.tagged(token_hex(8)),
            remote=envelope.sender,
            target=NameAddress.parse(contacts[0]).uri,
            contact=origin.contact(Uri.parse(request.uri).user),
            routes=tuple(request.headers.elements("Record-Route")),
            heard=envelope.sequence.number,
            allows_update=lists(request, "Allow", "UPDATE"),
        )

    def established(self, response: Response) -> Self:
        """The dialog that a 2xx to our INVITE creates; its own, should others come."""
        dialog = type(self)(
            self.origin,
            call_id=self.call_id,
            local=self.local,
            remote=NameAddress.parse(response.headers.get("To") or ""),
            target=self.target,
            contact=self.contact,
            routes=tuple(reversed(listed(response, "Record-Route"))),
            number=self._number,
            allows_update=lists(response, "Allow", "UPDATE"),
        )
        dialog.retarget(response)
        return dialog

    # -- what we say in it --

    def request(self, method: str, *fields: Field, sdp: str = "") -> Request:
        """The next request."""
        self._number += 1
        return self._compose(method, self._number, fields, sdp)

    def renumbered(self, request: Request, *fields: Field) -> Request:
        """A request that was refused, once more: with a new number and branch, and these fields."""
        self._number += 1
        renewed = (
            ("Via", self.origin.via()),
            ("CSeq", str(CSeq(self._number, request.method))),
        )
        headers = request.headers.without("Via", "CSeq").adding(*fields)
        return Request(request.method, request.uri, Headers((*renewed, *headers)), request.body)

    def ack(self, invite: Request) -> Request:
        """The ACK of a 2xx: a transaction of its own with the INVITE's number and credentials."""
        number = CSeq.parse(invite.headers.get("CSeq") or "").number
        credentials = [
            (name, value) for name in _CREDENTIALS for value in invite.headers.get_all(name)
        ]
        return self._compose("ACK", number, tuple(credentials), "")

    def answer_fields(self, request: Request) -> tuple[Field, ...]:
        """The fields of a response that makes or changes the dialog."""
        record = [("Record-Route", value) for value in request.headers.get_all("Record-Route")]
        return (("Contact", f"<{self.contact}>"), *record, ALLOW, SUPPORTED)

    def _compose(self, method: str, number: int, fields: tuple[Field, ...], sdp: str) -> Request:
        uri, routes = self._way()
        head = [
            ("Via", self.origin.via()),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in routes),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", str(CSeq(number, method))),
            *self.origin.fields,
            *fields,
        ]
        if method in _TARGET_METHODS:
            head += [("Contact", f"<{self.contact}>"), ALLOW, SUPPORTED]
        if sdp:
            head.append(("Content-Type", SDP_TYPE))
        return Request(method, uri, Headers(head), sdp.encode())

    def _way(self) -> tuple[str, tuple[str, ...]]:
        """The Request-URI and the routes (RFC 3261, 12.2.1.1)."""
        if not self.routes or _is_loose(self.routes[0]):
            return self.target, self.routes
        first = NameAddress.parse(self.routes[0]).uri
        return first, (*self.routes[1:], f"<{self.target}>")

    # -- what we hear in it --

    def objection(self, envelope: Envelope) -> int | None:
        """The status that refuses a request which is not of this dialog, or is out of order.

        Notes the number of one that is in order.
        """
        tags = envelope.receiver.tag, envelope.sender.tag
        if tags != (self.local.tag, self.remote.tag):
            return 481
        if envelope.sequence.number <= self.heard:
            return 500
        self.heard = envelope.sequence.number
        return None

    def retarget(self, message: Request | Response) -> None:
        """Take the address at which the far end wants to be reached from now on."""
        try:
            contacts = message.headers.elements("Contact")
            if contacts:
                self.target = NameAddress.parse(contacts[0]).uri
        except SipSyntaxError:
            return

    # -- over a restart --

    def snapshot(self) -> dict[str, Any]:
        """A JSON object for `restore`."""
        return {
            "call_id": self.call_id,
            "local": str(self.local),
            "remote": str(self.remote),
            "target": self.target,
            "contact": self.contact,
            "routes": list(self.routes),
            "number": self._number,
            "heard": self.heard,
            "allows_update": self.allows_update,
        }

    @classmethod
    def restore(cls, origin: Origin, saved: Mapping[str, Any]) -> Self:
        """The dialog of a snapshot. Raises `SipError`, `KeyError`, `TypeError`, `ValueError`."""
        return cls(
            origin,
            call_id=str(saved["call_id"]),
            local=NameAddress.parse(saved["local"]),
            remote=NameAddress.parse(saved["remote"]),
            target=str(saved["target"]),
            contact=str(saved["contact"]),
            routes=tuple(saved["routes"]),
            number=int(saved["number"]) + _RESTORED_STEP,
            heard=int(saved["heard"]),
            allows_update=bool(saved["allows_update"]),
        )


def _is_loose(route: str) -> bool:
    try:
        return "lr" in Uri.parse(NameAddress.parse(route).uri).parameters
    except SipError:
        return True
