"""The doctor on certificates: in files, and those that peers show."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from doctor_case import found, settings_of, told

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pbx")])


def certificate(folder: Path, *, begins: float = -100, ends: float) -> tuple[Path, Path]:
    """Files of a certificate that is good between these days from now, and of its key."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    signed = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .sign(key, hashes.SHA256())
    )
    made, key_file = folder / "made.pem", folder / "key.pem"
    made.write_bytes(signed.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made, key_file


@asynccontextmanager
async def shown(made: Path, key: Path) -> AsyncGenerator[int]:
    """A port where a server shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)

    def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("ends", "level", "words"),
    [(-1, "fail", "has expired on "), (10, "warn", "expires in 9 days"), (200, "ok", "is good")],
)
async def test_our_own(tmp_path: Path, ends: int, level: str, words: str) -> None:
    """The end is told three weeks before."""
    made, key = certificate(tmp_path, ends=ends)
    settings = settings_of(tmp_path, fastagi_api_tls_cert_file=made, fastagi_api_tls_key_file=key)
    findings = await found(settings, "certificates")
    ((found_level, why),) = told(findings, "FASTAGI_API_TLS_CERT_FILE")
    assert (found_level, why.startswith(words)) == (level, True)


async def test_not_yet_good(tmp_path: Path) -> None:
    """Made by a machine whose clock is ahead."""
    made, _ = certificate(tmp_path, begins=2, ends=100)
    findings = await found(settings_of(tmp_path, sge_ca_file=made), "certificates")
    ((level, why),) = told(findings, "SGE_CA_FILE")
    assert (level, why.partition(" from ")[0]) == ("fail", "is good only")


async def test_no_certificate(tmp_path: Path) -> None:
    """A file that is missing, and one that is none."""
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    settings = settings_of(tmp_path, sge_ca_file=tmp_path / "none.pem", asterisk_ari_ca_file=bad)
    findings = await found(settings, "certificates")
    assert [(f.level.word, f.subject) for f in findings] == [
        ("fail", "ASTERISK_ARI_CA_FILE"),
        ("fail", "SGE_CA_FILE"),
    ]


@pytest.mark.parametrize(("ends", "level"), [(-1, "fail"), (100, "ok")])
async def test_shown_by_peers(tmp_path: Path, ends: int, level: str) -> None:
    """What the SGE API, ARI and the manager interface show, whoever signed it."""
    made, key = certificate(tmp_path, ends=ends)
    async with shown(made, key) as port:
        settings = settings_of(
            tmp_path,
            sge_api_url=f"https://127.0.0.1:{port}",
            asterisk_ari_url=f"https://127.0.0.1:{port}",
            asterisk_ari_password="secret",
            asterisk_ami_host="127.0.0.1",
            asterisk_ami_port=port,
            asterisk_ami_tls=True,
            asterisk_ami_secret="secret",
        )
        findings = await found(settings, "certificates")
    assert [(f.level.word, f.subject.partition(" 127")[0]) for f in findings] == [
        (level, "SGE API"),
        (level, "ARI"),
        (level, "AMI"),
    ]


async def test_peer_that_is_away(tmp_path: Path) -> None:
    """Nobody shows anything."""
    findings = await found(settings_of(tmp_path, sge_api_url="https://127.0.0.1:1"), "certificates")
    ((level, why),) = told(findings, "SGE API 127.0.0.1:1")
    assert level == "fail"
    assert why.startswith("shows no certificate: ")


async def test_none_are_used(tmp_path: Path) -> None:
    """Everything is on loopback."""
    findings = await found(settings_of(tmp_path), "certificates")
    assert told(findings, "certificates") == [("ok", "none are used")]


async def test_revocation_list(tmp_path: Path) -> None:
    """A list that was due yesterday lets no client in."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(NAME)
        .last_update(now - timedelta(days=2))
        .next_update(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    crl = tmp_path / "crl.pem"
    crl.write_bytes(made.public_bytes(Encoding.PEM))
    cert, key_file = certificate(tmp_path, ends=100)
    settings = settings_of(
        tmp_path,
        fastagi_api_tls_cert_file=cert,
        fastagi_api_tls_key_file=key_file,
        fastagi_api_tls_client_ca_file=cert,
        fastagi_api_tls_client_auth="required",
        fastagi_api_tls_client_crl_file=crl,
    )
    findings = await found(settings, "certificates")
    ((level, why),) = told(findings, "FASTAGI_API_TLS_CLIENT_CRL_FILE")
    assert (level, why.startswith("has expired on ")) == ("fail", True)
