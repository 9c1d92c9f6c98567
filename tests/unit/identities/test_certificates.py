"""Whom a client certificate stands for."""

from typing import Any

import pytest

from fastagi_server.identities.certificates import CertificateError, CertificateTable, names_of
from fastagi_server.identities.identity import Identity, Scope

CERTIFICATE: dict[str, Any] = {
    "subject": (
        (("countryName", "DE"),),
        (("organizationName", "Example"), ("commonName", "reception")),
    ),
    "subjectAltName": (
        ("DNS", "desk.example"),
        ("URI", "spiffe://example/desk"),
        ("email", "desk@example.org"),
        ("IP Address", "192.0.2.1"),
    ),
}


def test_names() -> None:
    """Alternative names come before the common name; other kinds are not used."""
    assert list(names_of(CERTIFICATE)) == [
        "dns:desk.example",
        "uri:spiffe://example/desk",
        "email:desk@example.org",
        "cn:reception",
    ]


@pytest.mark.parametrize(
    "name",
    ["cn:reception", "dns:desk.example", "uri:spiffe://example/desk", "email:desk@example.org"],
)
def test_each_kind_of_name(name: str) -> None:
    """A certificate is known by any of its names; without scopes it is a user's."""
    found = CertificateTable({name: "alice"}).find(CERTIFICATE)
    assert found == Identity("alice", frozenset({Scope.CALLS}))
    assert found is not None
    assert found.credential == "certificate"


def test_scopes() -> None:
    """The scopes are those of the table."""
    found = CertificateTable({"cn:reception": "pbx-2 service operator"}).find(CERTIFICATE)
    assert found == Identity("pbx-2", frozenset({Scope.SERVICE, Scope.OPERATOR}))


@pytest.mark.parametrize("certificate", [{}, {"subject": ()}, CERTIFICATE])
def test_unknown_certificate(certificate: dict[str, Any]) -> None:
    """A genuine certificate that is not in the table stands for nobody."""
    assert CertificateTable({"cn:desk.example": "alice"}).find(certificate) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("reception", "alice"),
        ("cn:", "alice"),
        ("o:Example", "alice"),
        ("CN:reception", "alice"),
        ("cn:reception", ""),
        ("cn:reception", "al/ice"),
        ("cn:reception", "alice root"),
    ],
)
def test_bad_table(name: str, text: str) -> None:
    """A row that cannot be meant is refused at the start."""
    with pytest.raises(CertificateError):
        CertificateTable({name: text})
