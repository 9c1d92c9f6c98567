"""What comes of the frames that a client sends on his event socket."""

import time
from datetime import UTC, datetime

from fastagi_server.api import socket_frames as orders
from fastagi_server.presence.channels import ChannelError, check_channel
from fastagi_server.presence.desk import PresenceDesk
from fastagi_server.presence.frames import Frame, error, notification, presence_frame
from fastagi_server.presence.models import Presence, Status
from fastagi_server.presence.ports import Listener

FOREIGN = "You may speak only for yourself"
TOO_MUCH = "You have said too much to too many: wait a little"

_MS = 1_000_000


def obey(order: orders.Order, user: str, listener: Listener, desk: PresenceDesk) -> None:
    """Do what this user wants of his socket; whatever is to be said to him is told to it."""
    match order:
        case orders.Subscribe(channel=channel):
            _subscribe(channel, user, listener, desk)
        case orders.Unsubscribe(channel=channel):
            desk.channels.unsubscribe(channel, listener)
            listener.tell(notification("Unsubscribed", "You no longer listen on this channel"))
        case orders.Ping():
            listener.tell(Frame("Pong"))
        case orders.Pong():
            pass
        case orders.PresenceProbe(user_id=asked):
            listener.tell(presence_frame(desk.book.get(asked) or _unknown(asked)))
        case _ if order.speaker != user:
            listener.tell(error(FOREIGN))
        case _:
            if not _speak(order, desk):
                listener.tell(error(TOO_MUCH))


def _speak(
    order: orders.PresenceUpdate | orders.ChatMessage | orders.Typing, desk: PresenceDesk
) -> bool:
    """Tell others; False when the user has told them too much already."""
    match order:
        case orders.PresenceUpdate():
            desk.book.say(order.speaker, order.status, order.status_message)
            return True
        case orders.ChatMessage(message=chat):
            return _chat(chat, desk)
        case orders.Typing(speaker=speaker, to=to):
            frame = Frame("Typing", {"from": speaker, "to": to, "typing": order.typing})
            return desk.broadcast(speaker, frame, f"chat:{to}", f"chat:{speaker}")


def _subscribe(channel: str, user: str, listener: Listener, desk: PresenceDesk) -> None:
    try:
        check_channel(channel, user)
        desk.channels.subscribe(channel, listener)
    except ChannelError as refusal:
        listener.tell(error(str(refusal)))
    else:
        listener.tell(notification("Subscribed", f"You listen on {channel}", "success"))


def _chat(chat: orders.Chat, desk: PresenceDesk) -> bool:
    kind = "chat" if chat.message_type == "chat" else "group"
    message = {
        "from": chat.speaker,
        "to": chat.to,
        "message": chat.message,
        # Ours: who is to believe that of a client?
        "timestamp": time.time_ns() // _MS,
        "message_type": chat.message_type,
    }
    frame = Frame("ChatMessage", {"message": message})
    return desk.broadcast(chat.speaker, frame, f"{kind}:{chat.to}", f"chat:{chat.speaker}")


def _unknown(user: str) -> Presence:
    return Presence(user, Status.OFFLINE, datetime.now(UTC))
