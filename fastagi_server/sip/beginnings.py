"""How legs begin: by a call of ours, by one of the far end's, or out of a snapshot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from fastagi_server.sip.addresses import NameAddress, Uri, plain_name
from fastagi_server.sip.desk import Credentials, Desk
from fastagi_server.sip.dialogs import Dialog, Origin
from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.events import Invitation, LegState
from fastagi_server.sip.headers import Field
from fastagi_server.sip.incoming import Incoming
from fastagi_server.sip.legs import OnEvent, SipLeg
from fastagi_server.sip.limits import Limits
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.outgoing import Outgoing
from fastagi_server.sip.replies import Envelope, extension_lacked, reply, sdp_of
from fastagi_server.sip.session_timer import is_too_short
from fastagi_server.sip.talk import Talk

SESSION_FIELD = "X-SGE-Session"
USER_FIELD = "X-SGE-User"

_UNQUOTED = str.maketrans({'"': "'", "\\": "/"})
"""Asterisk does not undo the escapes in a display name: telephones would show them."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all legs of one agent stand on.

    `clock` gives seconds and never goes back; `flush` is called with a leg that has to be emptied.
    """

    origin: Origin
    clock: Callable[[], float]
    limits: Limits
    credentials: Credentials | None
    flush: Callable[[SipLeg], None]


def calling(
    ground: Ground,
    *,
    uri: Uri,
    user: str,
    display_name: str,
    session: str,
    sdp: str,
    fields: tuple[Field, ...],
    on_event: OnEvent,
) -> SipLeg:
    """The leg of a call of ours to `uri`. Raises `SipValueError` for what cannot be said in SIP."""
    account = str(Uri(user, ground.origin.host, ground.origin.port))
    identity = NameAddress(account, plain_name(display_name).translate(_UNQUOTED))
    desk = Desk(ground.clock, LegState.CALLING, ground.credentials)
    leg = SipLeg(
        desk,
        call_id=f"{token_hex(16)}@{ground.origin.host}",
        user=user,
        session=session,
        flush=ground.flush,
        on_event=on_event,
    )
    dialog = Dialog(
        ground.origin,
        call_id=leg.id,
        local=identity.tagged(token_hex(8)),
        remote=NameAddress(str(uri)),
        target=str(uri),
        contact=ground.origin.contact(user),
    )
    named = (
        ("P-Asserted-Identity", str(identity)),
        (USER_FIELD, user),
        (SESSION_FIELD, session),
        *fields,
    )
    leg.enter(Outgoing(desk, dialog, sdp=sdp, fields=named, limits=ground.limits, on_up=leg.enter))
    return leg


def called(
    ground: Ground,
    *,
    invite: Request,
    envelope: Envelope,
) -> tuple[SipLeg, Invitation] | Response:
    """The leg of a call of the far end's, or the response that refuses what cannot be one.

    Raises `SipSyntaxError` for an INVITE without what an INVITE must have.
    """
    refusal = _refusal(invite, ground.limits)
    if refusal is not None:
        return refusal
    user = Uri.parse(invite.uri).user
    session = invite.headers.get(SESSION_FIELD) or ""
    dialog = Dialog.called(ground.origin, invite, envelope)
    desk = Desk(ground.clock, LegState.INVITED, ground.credentials)
    leg = SipLeg(desk, call_id=envelope.call_id, user=user, session=session, flush=ground.flush)
    leg.enter(Incoming(desk, dialog, invite, limits=ground.limits, on_up=leg.enter))
    caller = _caller(invite, envelope)
    number = Uri.parse(caller.uri).user
    return leg, Invitation(user, session, number, caller.display_name, sdp_of(invite))


def _refusal(invite: Request, limits: Limits) -> Response | None:
    """The answer to an INVITE that is well formed and cannot be taken."""
    tag = token_hex(8)
    lacked = extension_lacked(invite, tag)
    if lacked is not None:
        return lacked
    if not Uri.parse(invite.uri).user:
        return reply(invite, 404, tag=tag)
    if is_too_short(invite, limits.terms):
        return reply(invite, 422, ("Min-SE", str(limits.terms.shortest)), tag=tag)
    return None if sdp_of(invite) else reply(invite, 488, tag=tag)


def _caller(invite: Request, envelope: Envelope) -> NameAddress:
    """Who calls: whom Asterisk vouches for, else whom it names."""
    for value in invite.headers.get_all("P-Asserted-Identity"):
        try:
            address = NameAddress.parse(value)
            Uri.parse(address.uri)
        except SipSyntaxError:
            continue
        return address
    return envelope.sender


def restored(
    ground: Ground,
    *,
    saved: Mapping[str, Any],
    on_event: OnEvent,
) -> SipLeg:
    """The leg of a snapshot, which waits for a connection.

    Raises `SipError`, `KeyError`, `TypeError` or `ValueError` for what is no snapshot.
    """
    desk = Desk(ground.clock, LegState.UP, ground.credentials)
    talk = Talk.restore(desk, ground.origin, ground.limits, saved["talk"])
    leg = SipLeg(
        desk,
        call_id=talk.dialog.call_id,
        user=str(saved["user"]),
        session=str(saved["session"]),
        flush=ground.flush,
        on_event=on_event,
    )
    leg.enter(talk)
    talk.lost()
    return leg
