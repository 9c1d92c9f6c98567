"""Keeps secrets, and personal data where the operator wants it, out of lines and reports.

A field of a log line is one of three: a word of ours, such as an id or a code, which is left as it
is; personal by its name, which is masked as a whole; or text, in which everything is looked for
that has the form of a secret, a number or a dial string, and what is known of the call at hand.

A masked value keeps its last two digits and a hash under a key that lives as long as the process:
lines about the same number can be found without the number. `+33 1 23 45` is `***45#9c1f02`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, cast
from urllib.parse import quote

import orjson

from fastagi_server.telemetry.subject import IDS, current

MASK = "********"
"""What stands for a secret: nothing of it is kept, not even its length."""

MIN_SECRET = 4
"""Shorter secrets are not looked for: they would be found everywhere."""

MIN_PERSONAL = 3
"""Shorter numbers and names of a call are not looked for in text."""

MAX_TEXT = 16_384
"""Characters of one text that are kept; a longer one is cut before it is searched."""

_MASKED = "***"

PERSONAL_FIELDS = frozenset(
    {"caller", "caller_id", "caller_name", "caller_number", "dialled", "endpoint", "extension"}
    | {"number", "participant", "participants", "dial_string"}
)
"""Fields that hold a number, a name or a dial string and nothing else."""

PLAIN_FIELDS = frozenset(
    {*IDS, "age_seconds", "application", "applications", "attempts", "code", "effect", "event"}
    | {
        "event_type",
        "item",
        "kind",
        "legs",
        "level",
        "link",
        "logger",
        "ms",
        "operation",
        "outcome",
        "queue",
    }
    | {"records", "request_id", "room", "route", "scheme", "seconds", "sessions", "state", "status"}
    | {"timestamp", "waiting", "worker"}
)
"""Fields that hold words of ours, ids or figures; a field that is in neither set is text."""

PLAIN_LINES = frozenset({"agi_session"})
"""Events all of whose fields are plain: the line that every session has is not even looked at."""

_CREDENTIALS = re.compile(
    r"(?<=://)[^/@\s]+(?=@)"  # user and password of a URL
    r"|\b(?:bearer|basic)\s+[\w.~+/=-]{6,}"
    r"|\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?"  # a JSON Web Token
    r"|\bsk_[\w-]{20,}"  # an API key of ours
    r"|(?<=token=)[^&\s\"']+|(?<=api_key=)[^&\s\"']+|(?<=password=)[^&\s\"']+"
    r"|(?<=secret=)[^&\s\"']+",
    re.IGNORECASE,
)

_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_PERSONAL = re.compile(
    rf"""(?P<name>\b(?:caller(?:_?id)?(?:_?(?:num(?:ber)?|name))?|connected_?(?:name|number)
        |dialled|asterisk_dialled_number|participants?|display_name|dial_string|agi_dnid|agi_rdnis
        |agi_callerid(?:name)?)["']?\s*[=:]\s*)
        (?P<value>{_QUOTED}|[\[(](?:\s*(?:{_QUOTED})\s*,?)*[\])]|\+?\d[\d*#]*)
    |(?P<technology>\b(?:PJSIP|SIP|IAX2|DAHDI|Local|Motif)/)
        (?P<resource>[^\s"',;&()<>\[\]{{}}]+?)(?P<suffix>-[0-9a-f]{{8}}\b)?(?=[\s"',;:&()<>\[\]{{}}]|$)
    |(?P<scheme>\b(?:sips?|tel):)(?P<user>[^\s@"',;<>()]+)
    |(?P<number>(?<![\w.:/#*-])(?!\d{{4}}-\d\d-\d\d)\+?\d(?:[ ()/-]{{0,2}}\d){{5,}}
        (?![\w:#-]|\.\d|[ ]\d))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIAL_STRING = re.compile(r"(\w+/)([^/@]+)((?:[/@].*)?)", re.DOTALL)
_PIECE = re.compile(_QUOTED)


class Masker:
    """Masks by value, by form and by name.

    `secrets` are the secrets in use: none of them, nor its escaped forms, leaves `text`. Personal
    data is masked with `personal`; `key` is what hashes are made with, 16 random bytes.
    """

    def __init__(self, *, key: bytes, secrets: Iterable[str] = (), personal: bool = True) -> None:
        self._key = key
        self._personal = personal
        self._given = tuple(secrets)
        forms = {form for secret in self._given for form in _forms(secret)}
        self._secrets = sorted(forms, key=len, reverse=True)

    def strict(self) -> "Masker":
        """One with the same secrets and key that masks personal data, whatever this one does."""
        return Masker(key=self._key, secrets=self._given, personal=True)

    def event(self, event: MutableMapping[str, Any]) -> None:
        """Mask the fields of a line in place."""
        for name, value in event.items():
            if name not in PLAIN_FIELDS:
                event[name] = self.field(name, value)

    def text(self, text: str) -> str:
        """Free text without secrets and, where asked for, personal data."""
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]} [cut]"
        text = self.without_secrets(text)
        if not self._personal:
            return text
        for known in _known_of_the_call():
            text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", self.personal(known), text)
        return _PERSONAL.sub(self._replacement, text)

    def without_secrets(self, text: str) -> str:
        """Text of any length in which only secrets are masked."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return _CREDENTIALS.sub(MASK, text)

    def personal(self, value: str) -> str:
        """What stands for a number, a name or a dial string, of which only the user is masked.

        Masking it again changes nothing.
        """
        if not value or value.startswith(_MASKED):
            return value
        if dialled := _DIAL_STRING.fullmatch(value):
            return dialled[1] + self.personal(dialled[2]) + dialled[3]
        data = value.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=3, key=self._key).hexdigest()
        kept = value[-2:] if value[-2:].isdigit() else ""
        return f"{_MASKED}{kept}#{digest}"

    def field(self, name: str, value: object) -> object:
        """The value of a field by its name; of nested ones by theirs."""
        match value:
            case str():
                is_personal = self._personal and name in PERSONAL_FIELDS
                return self.personal(value) if is_personal else self.text(value)
            case bool() | int() | float() | None:
                return value
            case Mapping():
                items = cast("Mapping[object, object]", value).items()
                return {
                    key: item if key in PLAIN_FIELDS else self.field(str(key), item)
                    for key, item in items
                }
            case list() | tuple() | set() | frozenset():
                return [self.field(name, item) for item in cast("Iterable[object]", value)]
            case _:
                return self.field(name, repr(value))

    def _replacement(self, match: re.Match[str]) -> str:
        parts = match.groupdict(default="")
        if parts["name"]:
            return parts["name"] + self._value(parts["value"])
        if parts["technology"]:
            user, at, place = parts["resource"].partition("@")
            return parts["technology"] + self.personal(user) + at + place + parts["suffix"]
        if parts["scheme"]:
            return parts["scheme"] + self.personal(parts["user"])
        return self.personal(match[0])

    def _value(self, text: str) -> str:
        """The value behind a name: bare, quoted, or a list of quoted ones."""
        if text[0] in "\"'[(":
            return _PIECE.sub(lambda m: f"{m[0][0]}{self.personal(m[0][1:-1])}{m[0][0]}", text)
        return self.personal(text)


def _known_of_the_call() -> list[str]:
    """Numbers and names of the call at hand, the longest first."""
    subject = current.get()
    if subject is None or subject.personal is None:
        return []
    known = {value for value in subject.personal() if len(value) >= MIN_PERSONAL}
    return sorted(known, key=len, reverse=True)


def _forms(secret: str) -> Iterable[str]:
    """The secret, and how it looks in JSON, in Python's `repr` and in a URL."""
    if len(secret) < MIN_SECRET:
        return
    yield secret
    yield orjson.dumps(secret).decode()[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
