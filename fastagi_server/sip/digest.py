"""Digest authentication of a client (RFC 7616, RFC 8760; RFC 2069 for servers without qop)."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.quoting import TOKEN, quote, split, unquote

ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""What is answered, the best first. The `-sess` forms are not: no PBX asks for them."""

_SCHEME = re.compile(r"digest[ \t]+(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a WWW-Authenticate or Proxy-Authenticate field asks.

    `algorithm` is upper case and may be one that is not in `ALGORITHMS`; `qop` holds the offered
    qualities, lower case, empty for a server of RFC 2069.
    """

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, value: str) -> Self:
        """The field's value. Raises `SipSyntaxError`, also for a scheme other than Digest."""
        found = _SCHEME.fullmatch(value)
        if found is None:
            raise SipSyntaxError("no digest challenge", value)
        given = _parameters(found[1])
        if "realm" not in given or "nonce" not in given:
            raise SipSyntaxError("a challenge without realm or nonce", value)
        return cls(
            given["realm"],
            given["nonce"],
            given.get("algorithm", "MD5").upper(),
            tuple(word.strip(" \t") for word in given.get("qop", "").lower().split(",") if word),
            given.get("opaque"),
            given.get("stale", "").lower() == "true",
        )

    @property
    def answerable(self) -> bool:
        """Whether `authorization` can answer: a known algorithm, and a quality it knows or none."""
        return self.algorithm in ALGORITHMS and (
            not self.qop or bool({"auth", "auth-int"} & {*self.qop})
        )


def best_challenge(values: Iterable[str]) -> Challenge | None:
    """The strongest answerable challenge among the values of all the fields of a 401 or 407.

    What cannot be read is passed over: a server may offer schemes of which we never heard.
    """
    challenges: list[Challenge] = []
    for value in values:
        try:
            challenges.append(Challenge.parse(value))
        except SipSyntaxError:
            continue
    order = list(ALGORITHMS)
    answerable = [one for one in challenges if one.answerable]
    return min(answerable, key=lambda one: order.index(one.algorithm), default=None)


def authorization(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    nc: int,
    cnonce: str,
    body: bytes = b"",
) -> str:
    """The value of Authorization or Proxy-Authorization that answers an answerable challenge.

    `uri` is the Request-URI as sent; `nc` counts the uses of this nonce from 1; `cnonce` is fresh
    random text. `auth` is preferred; `body` matters where only `auth-int` is offered.
    """
    qop = next((word for word in ("auth", "auth-int") if word in challenge.qop), None)
    secret = _hash(challenge, f"{username}:{challenge.realm}:{password}")
    what = f"{method}:{uri}"
    if qop == "auth-int":
        what += ":" + ALGORITHMS[challenge.algorithm](body).hexdigest()
    count = f"{nc:08x}"
    quality = f"{count}:{cnonce}:{qop}:" if qop else ""
    response = _hash(challenge, f"{secret}:{challenge.nonce}:{quality}{_hash(challenge, what)}")
    parts = [
        f"username={quote(username)}",
        f"realm={quote(challenge.realm)}",
        f"nonce={quote(challenge.nonce)}",
        f"uri={quote(uri)}",
        f"response={quote(response)}",
        f"algorithm={challenge.algorithm}",
    ]
    if challenge.opaque is not None:
        parts.append(f"opaque={quote(challenge.opaque)}")
    if qop:
        parts += [f"qop={qop}", f"nc={count}", f"cnonce={quote(cnonce)}"]
    return "Digest " + ", ".join(parts)


def _hash(challenge: Challenge, text: str) -> str:
    return ALGORITHMS[challenge.algorithm](text.encode()).hexdigest()


def _parameters(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in split(text, ","):
        name, equals, value = part.partition("=")
        name = name.strip(" \t").lower()
        if part and (not equals or TOKEN.fullmatch(name) is None):
            raise SipSyntaxError("no parameter of a challenge", part)
        if part:
            given.setdefault(name, unquote(value.strip(" \t")))
    return given
