"""Phones of the lab that transfer whom they talk to, by SIP's REFER.

with transferring(asterisk, "1002", "1001", to=extension(asterisk, "1004")) as phone: ...
"""

import re
import urllib.parse

from lab.asterisk import Asterisk
from lab.phones import Phone

AFTER_MS = 500

_ANSWER = re.compile(r"SIP/2\.0 200 OK\r?\n(?:[^\r\n]+\r?\n)+")
_HEADER = r"^{}:[^\r\n]*?{}([^\s;]+)"


def extension(asterisk: Asterisk, number: str) -> str:
    """Where a blind transfer goes: a number of the phone's own context."""
    return f"sip:{number}@127.0.0.1:{asterisk.ports.sip}"


def talk_of(phone: Phone) -> str:
    """Where an attended transfer goes: to whom a phone that called talks now (Replaces)."""
    answers = _ANSWER.findall(phone.messages())
    answer = next(each for each in answers if re.search(r"^CSeq: 2 INVITE", each, re.MULTILINE))
    fields = (("From", "tag="), ("To", "tag="), ("Call-ID", " "))
    ours, theirs, call = (
        re.findall(_HEADER.format(*field), answer, re.MULTILINE)[0] for field in fields
    )
    talk = urllib.parse.quote(f"{call};to-tag={theirs};from-tag={ours}", safe="")
    return f"{extension(phone.asterisk, phone.user)}?Replaces={talk}"


def transferring(
    asterisk: Asterisk, user: str, called: str, *, to: str, after_ms: int = AFTER_MS
) -> Phone:
    """Return a phone that calls `called`, and `after_ms` after the answer transfers it."""
    phone = Phone(asterisk, user)
    phone.words["refer_to"] = to
    return phone.place("call-refer", called, after_ms)


def answering_to_transfer(
    asterisk: Asterisk, user: str, *, to: str, after_ms: int = AFTER_MS
) -> Phone:
    """Return a registered phone that answers, and `after_ms` later transfers its caller."""
    phone = Phone(asterisk, user)
    phone.words["refer_to"] = to
    return phone.listen("answer-refer", after_ms)
