"""One leg and its far end, played by hand: no sockets, and a clock that the test sets."""

from secrets import token_hex
from typing import Self

from fastagi_server.sip.addresses import NameAddress, Uri
from fastagi_server.sip.beginnings import Ground, called, calling
from fastagi_server.sip.desk import Credentials
from fastagi_server.sip.dialogs import Origin
from fastagi_server.sip.events import Invitation, SipEvent
from fastagi_server.sip.headers import Field, Headers
from fastagi_server.sip.legs import SipLeg
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.replies import Envelope, reply

US = "sip:alice@127.0.0.1:5070"
THEM = "sip:1001@127.0.0.1:5060"
CONTACT: Field = ("Contact", "<sip:127.0.0.1:5060;transport=tcp>")
OFFER = "v=0 ours\r\n"
ANSWER = "v=0 theirs\r\n"


def no_event(_leg: SipLeg, _event: SipEvent) -> None:
    """Take no notice: the scene reads what the leg gives out."""


class Scene:
    """The leg of a test. `said` is what it sent, `told` what its owner heard, both in order."""

    def __init__(
        self, limits: Limits | None = None, credentials: Credentials | None = None
    ) -> None:
        self.now = 1000.0
        self.said: list[Request | Response] = []
        self.told: list[SipEvent] = []
        self.tag = "far"
        self.number = 100
        self.invitation: Invitation | None = None
        self._leg: SipLeg | None = None
        self._ends: tuple[NameAddress, NameAddress] | None = None
        fields = (("X-SGE-Gateway", "token"),)
        self.ground = Ground(
            Origin("127.0.0.1", 5070, fields),
            lambda: self.now,
            limits or Limits(),
            credentials,
            self.flush,
        )

    @property
    def leg(self) -> SipLeg:
        """The leg."""
        assert self._leg is not None
        return self._leg

    @leg.setter
    def leg(self, leg: SipLeg) -> None:
        self._leg = leg
        self.flush(leg)

    @classmethod
    def calling(cls, limits: Limits | None = None, credentials: Credentials | None = None) -> Self:
        """We called 1001; the INVITE is on its way."""
        scene = cls(limits, credentials)
        scene.leg = calling(
            scene.ground,
            uri=Uri("1001", "127.0.0.1", 5060),
            user="alice",
            display_name="Alice",
            session="call-1",
            sdp=OFFER,
            fields=(),
            on_event=no_event,
        )
        return scene

    @classmethod
    def up(cls, *fields: Field, limits: Limits | None = None) -> Self:
        """We called 1001, who answered; `fields` were in his answer."""
        scene = cls.calling(limits)
        scene.respond("INVITE", 200, *fields, sdp=ANSWER)
        scene.forget()
        return scene

    @classmethod
    def called(cls, *fields: Field, sdp: str = ANSWER, limits: Limits | None = None) -> Self:
        """1001 calls alice."""
        scene = cls(limits)
        scene.be_called(*fields, sdp=sdp)
        return scene

    def be_called(
        self, *fields: Field, sdp: str = ANSWER, uri: str = US, contact: Field = CONTACT
    ) -> Request:
        """Take an INVITE of the far end's, which is returned."""
        head = [
            ("Via", f"SIP/2.0/TCP 127.0.0.1:5060;rport;branch=z9hG4bK{token_hex(6)}"),
            ("From", f'"Bob" <{THEM}>;tag=far'),
            ("To", f"<{US}>"),
            ("Call-ID", "theirs-1"),
            ("CSeq", f"{self.number} INVITE"),
            contact,
            ("Content-Type", "application/sdp"),
            *fields,
        ]
        invite = Request("INVITE", uri, Headers(head), sdp.encode())
        call = called(self.ground, invite=invite, envelope=Envelope.of(invite))
        if isinstance(call, Response):
            self.said.append(call)
        else:
            leg, self.invitation = call
            leg.on_event = no_event
            self.leg = leg
        return invite

    # -- what came out --

    def flush(self, leg: SipLeg) -> None:
        """Empty the leg, through the wire's bytes and back."""
        for item in leg.take():
            if isinstance(item, (Request, Response)):
                assert item.serialize().endswith(item.body)
                self.said.append(item)
                self._note_ends(item)
            else:
                self.told.append(item)

    def forget(self) -> None:
        """Forget what was said and told until now."""
        self.said.clear()
        self.told.clear()

    @property
    def lines(self) -> list[str]:
        """What was said, as `INVITE` and `200 INVITE`."""
        return [
            one.method if isinstance(one, Request) else f"{one.status} {_method(one)}"
            for one in self.said
        ]

    def last(self, method: str) -> Request:
        """The last request of a method."""
        return [one for one in self.said if isinstance(one, Request) and one.method == method][-1]

    def last_response(self) -> Response:
        """The last response."""
        return [one for one in self.said if isinstance(one, Response)][-1]

    # -- what goes in --

    def respond(
        self,
        to: str | Request,
        status: int,
        *fields: Field,
        sdp: str = "",
        tag: str = "",
        reason: str = "",
    ) -> bool:
        """Answer the last request of a method, or this one; whether the leg knew it."""
        request = self.last(to) if isinstance(to, str) else to
        contact = () if any(name == "Contact" for name, _ in fields) else (CONTACT,)
        tag = tag or self.tag
        if status == 100:
            tag = ""
        response = reply(
            request, status, *contact, *fields, tag=tag, body=sdp.encode(), reason=reason
        )
        known = self.leg.receive_response(response, Envelope.of(response))
        self.flush(self.leg)
        return known

    def ask(
        self,
        method: str,
        *fields: Field,
        sdp: str = "",
        tag: str | None = None,
        number: int | None = None,
        branch: str = "",
    ) -> Request:
        """Send the leg a request of the far end's within the dialog, which is returned."""
        if number is None:
            self.number += 1
        ours, theirs = self.addresses()
        head = [
            ("Via", f"SIP/2.0/TCP 127.0.0.1:5060;branch={branch or 'z9hG4bK' + token_hex(6)}"),
            ("From", str(theirs.tagged(self.tag))),
            ("To", str(ours if tag is None else ours.tagged(tag))),
            ("Call-ID", self.leg.id),
            ("CSeq", f"{self.number if number is None else number} {method}"),
            *fields,
        ]
        if sdp:
            head += [CONTACT, ("Content-Type", "application/sdp")]
        return self.feed(Request(method, US, Headers(head), sdp.encode()))

    def feed(self, request: Request) -> Request:
        """Send the leg this request."""
        self.leg.receive_request(request, Envelope.of(request))
        self.flush(self.leg)
        return request

    def addresses(self) -> tuple[NameAddress, NameAddress]:
        """Our address with its tag, and theirs, as the leg named them first."""
        if self._ends is None:
            dialog = self.leg.snapshot()["talk"]["dialog"]
            return NameAddress.parse(dialog["local"]), NameAddress.parse(dialog["remote"])
        return self._ends

    def _note_ends(self, message: Request | Response) -> None:
        envelope = Envelope.of(message)
        ours, theirs = envelope.sender, envelope.receiver
        if isinstance(message, Response):
            ours, theirs = theirs, ours
        if self._ends is None and ours.tag:
            self._ends = ours, theirs

    def cancel(self, invite: Request, *fields: Field) -> None:
        """Take back an INVITE of the far end's."""
        head = [
            *((name, invite.headers.get(name) or "") for name in ("Via", "From", "To", "Call-ID")),
            ("CSeq", f"{Envelope.of(invite).sequence.number} CANCEL"),
            *fields,
        ]
        self.feed(Request("CANCEL", invite.uri, Headers(head)))

    def pass_time(self, seconds: float) -> None:
        """Let time go by, waking the leg whenever it wants to be."""
        end = self.now + seconds
        while self.leg.deadline <= end:
            self.now = max(self.now, self.leg.deadline)
            self.leg.wake()
            self.flush(self.leg)
        self.now = end


def _method(response: Response) -> str:
    return Envelope.of(response).sequence.method
