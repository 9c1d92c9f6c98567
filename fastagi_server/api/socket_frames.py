"""Frames that clients of event sockets send: what is read, in both published forms.

{"type": "Subscribe", "channel": "presence:all"}        flat
{"Subscribe": {"channel": "presence:all"}}, "Ping"      tagged
"""

from typing import Annotated, Any, Literal, cast

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fastagi_server.presence.channels import MAX_NAME
from fastagi_server.presence.frames import Form
from fastagi_server.presence.models import MAX_STATUS_MESSAGE, ONE_LINE, Status, read_status

MAX_CHAT = 4096
"""Characters of one chat message."""

MAX_USER = 256

_NOT_JSON = "The frame is not well-formed JSON"
_NO_KIND = 'The frame has no kind: send {"type": "Ping"} or the like'


class FrameError(Exception):
    """A frame cannot be read; the text is for the client and repeats nothing of his."""

    def __init__(self, message: str, form: Form | None = None) -> None:
        super().__init__(message)
        self.form = form


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


User = Annotated[str, Field(min_length=1, max_length=MAX_USER)]
Channel = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class Subscribe(_Order):
    """Listen on a channel."""

    channel: Channel


class Unsubscribe(_Order):
    """Listen no longer."""

    channel: Channel


class Ping(_Order):
    """Ask for a Pong."""


class Pong(_Order):
    """Answer a ping; nothing comes of it."""


class PresenceUpdate(_Order):
    """Say how oneself wants to be seen."""

    speaker: Annotated[User, Field(alias="user_id")]
    status: Annotated[Status, BeforeValidator(read_status)]
    status_message: Annotated[
        str | None, Field(max_length=MAX_STATUS_MESSAGE, pattern=ONE_LINE)
    ] = None


class PresenceProbe(_Order):
    """Ask how somebody is seen."""

    user_id: User


class Chat(_Order):
    """What is said, by whom and to whom: a user, or a group in the other two types."""

    speaker: Annotated[User, Field(alias="from")]
    to: User
    message: Annotated[str, Field(min_length=1, max_length=MAX_CHAT)]
    message_type: Literal["chat", "groupchat", "muc"] = "chat"


class ChatMessage(_Order):
    """Say something to somebody."""

    message: Chat

    @property
    def speaker(self) -> str:
        """Who says it."""
        return self.message.speaker


class Typing(_Order):
    """Tell somebody that one is writing to him, or has stopped."""

    speaker: Annotated[User, Field(alias="from")]
    to: User
    typing: bool


Order = (
    Subscribe | Unsubscribe | Ping | Pong | PresenceUpdate | PresenceProbe | ChatMessage | Typing
)

KINDS: dict[str, type[Order]] = {
    kind.__name__: kind
    for kind in (
        Subscribe,
        Unsubscribe,
        Ping,
        Pong,
        PresenceUpdate,
        PresenceProbe,
        ChatMessage,
        Typing,
    )
}
"""What clients may send, by the name on the wire."""


def read_frame(text: str) -> tuple[Form, Order]:
    """What a client wants, and the form he speaks. Raises FrameError."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise FrameError(_NOT_JSON) from None
    form, kind, fields = _parts(content)
    model = KINDS.get(kind)
    if model is None:
        raise FrameError("There is no frame of this kind", form)
    try:
        return form, model.model_validate(fields)
    except ValidationError as error:
        raise FrameError(f"{kind}: {_complaint(error)}", form) from None


def _parts(content: object) -> tuple[Form, str, object]:
    if isinstance(content, str):
        return Form.TAGGED, content, {}
    if not isinstance(content, dict):
        raise FrameError(_NO_KIND)
    fields = cast("dict[str, Any]", content)
    kind = fields.get("type")
    if isinstance(kind, str):
        return Form.FLAT, kind, fields
    if len(fields) != 1:
        raise FrameError(_NO_KIND)
    ((kind, inner),) = fields.items()
    return Form.TAGGED, kind, inner


def _complaint(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    words = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {words}" if place else words
