"""What is said about a call, and the outcome the dialplan sees.

All values come from the channel and are untrusted text of any length; the wires that send or
store them cut and escape. Instants are timezone-aware, durations whole milliseconds.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KEY_LIMIT = 200
"""Characters of a key; the API keeps keys of up to 255."""

PROVISIONAL_PREFIX = "queued-"

_KEY_NAMESPACE = uuid.UUID("6f0f6f1c-6a3f-4c53-8f52-1f3b6f1b3a52")
_UNSAFE_IN_KEY = re.compile(r"[^A-Za-z0-9._:@/+~-]")
_DIGEST_CHARACTERS = 32


class Status(StrEnum):
    """Value of SGE_STATUS: what became of a registration."""

    REGISTERED = "REGISTERED"
    QUEUED = "QUEUED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


def registration_key(system: str, unique_id: str) -> str:
    """Name of one registration for ever: the same channel of the same system, the same key.

    Printable ASCII of at most `KEY_LIMIT` characters, safe in an HTTP header. Characters that are
    not are percent-encoded, and what is too long ends in a digest of the whole.
    """
    plain = f"agi-{system}-{unique_id}"
    key = _UNSAFE_IN_KEY.sub(_percent_encoded, plain)
    if len(key) <= KEY_LIMIT:
        return key
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{key[: KEY_LIMIT - _DIGEST_CHARACTERS - 1]}~{digest}"


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def provisional_call_id(key: str) -> str:
    """The call id given out while the API has not been reached: the same for the same key."""
    return f"{PROVISIONAL_PREFIX}{uuid.uuid5(_KEY_NAMESPACE, key)}"


def is_provisional(call_id: str) -> bool:
    """Whether `call_id` was given out by us and means nothing to the API."""
    return call_id.startswith(PROVISIONAL_PREFIX)


@dataclass(slots=True)
class Registration:
    """A call that Asterisk has and SGE shall know; empty strings stand for what is not known.

    `participants` are dial strings; `extension` is the number that was dialled; `channel` is the
    name of the caller's channel.
    """

    system: str
    unique_id: str
    channel: str
    linked_id: str
    context: str
    extension: str
    caller_number: str
    caller_name: str
    participants: tuple[str, ...]
    call_type: str

    @property
    def key(self) -> str:
        """See `registration_key`."""
        return registration_key(self.system, self.unique_id)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The call was answered; `call_id` may be provisional, `key` is that of its registration."""

    key: str
    call_id: str
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The call is over, and how: None and empty strings stand for what is not known.

    `hangup_cause` is a Q.850 number, `dial_status` Asterisk's DIALSTATUS. Without a `call_id`, or
    with a provisional one, the registration is made known first.
    """

    registration: Registration
    call_id: str | None = None
    hangup_cause: int | None = None
    dial_status: str = ""
    ring_ms: int | None = None
    answered_ms: int | None = None
    ended_at: datetime | None = None

    @property
    def key(self) -> str:
        """The key of the registration that ends here."""
        return self.registration.key


Statement = Registration | Acceptance | Ending
"""What may be said about a call; all are idempotent by their key."""


@dataclass(slots=True)
class RegisteredCall:
    """The API's answer to a registration; `channel_id` is None when it names no channel."""

    call_id: str
    channel_id: str | None


@dataclass(slots=True)
class Outcome:
    """What the dialplan is told: SGE_STATUS, the ids, SGE_ERROR_CODE (`code`) and SGE_ERROR.

    `code` is empty for REGISTERED, else stable snake case (`registration.codes`); `error` is a
    short fixed text for REFUSED and FAILED and empty otherwise.
    """

    status: Status
    call_id: str = ""
    channel_id: str = ""
    code: str = ""
    error: str = ""
