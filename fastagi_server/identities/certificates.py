"""Who a client certificate speaks for.

That a certificate is genuine was found by TLS before; here its names are looked up in a table. The
names are those that TLS servers and issuers use: `cn:` the subject's common name, `dns:`, `uri:`
and `email:` the subject's alternative names.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastagi_server.identities.identity import Identity, Scope, is_name

_KINDS = {"DNS": "dns", "URI": "uri", "email": "email"}
_ALTERNATIVE_NAMES = "subjectAltName"


class CertificateError(ValueError):
    """A row of the table cannot be used; the text says why."""


class CertificateTable:
    """Maps names of certificates to identities.

    `rows` maps a name such as `cn:reception` to the identity's name and its scopes, with spaces
    between: `alice`, or `pbx-2 service`. Without scopes it is a user's. Raises CertificateError.
    """

    def __init__(self, rows: Mapping[str, str]) -> None:
        self._identities = {_name(name): _identity(name, text) for name, text in rows.items()}

    def find(self, certificate: Mapping[str, Any]) -> Identity | None:
        """The identity of a certificate as `ssl.SSLObject.getpeercert` gives it, or None."""
        for name in names_of(certificate):
            identity = self._identities.get(name)
            if identity is not None:
                return identity
        return None


def names_of(certificate: Mapping[str, Any]) -> Iterator[str]:
    """The names in a certificate, alternative names first."""
    for kind, value in certificate.get(_ALTERNATIVE_NAMES, ()):
        if kind in _KINDS:
            yield f"{_KINDS[kind]}:{value}"
    for part in certificate.get("subject", ()):
        for kind, value in part:
            if kind == "commonName":
                yield f"cn:{value}"


def _name(name: str) -> str:
    kind, colon, value = name.partition(":")
    if not colon or not value or kind not in {"cn", *_KINDS.values()}:
        raise CertificateError(f"{name!r} is not cn:, dns:, uri: or email: and a name")
    return name


def _identity(name: str, text: str) -> Identity:
    who, *scopes = text.split() or [""]
    if not is_name(who):
        raise CertificateError(f"{name!r} has no usable name of an identity")
    try:
        granted = frozenset(Scope(scope) for scope in scopes)
    except ValueError:
        known = ", ".join(Scope)
        raise CertificateError(f"{name!r} has a scope that is none of {known}") from None
    return Identity(who, granted or frozenset({Scope.CALLS}), "certificate")
