"""Certificates for tests, made anew by each run: an authority, a server named localhost and 127.0.0.1, and a client."""

from __future__ import annotations

import atexit
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_FOLDER = TemporaryDirectory(prefix="certificates-")
atexit.register(_FOLDER.cleanup)
CERTIFICATES = Path(_FOLDER.name)
CA = str(CERTIFICATES / "ca.pem")
CLIENT = {"cert_file": str(CERTIFICATES / "client.pem"), "key_file": str(CERTIFICATES / "client.key")}
_LOCAL = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])


def server_tls(*, asks_for_certificate: bool = False) -> ssl.SSLContext:
    """Give the context of a server; it may ask its clients for a certificate of the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CA)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _sign(
    name: str, key: ec.EllipticCurvePrivateKey, authority: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named("authority of the tests"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
        .add_extension(_LOCAL, critical=False)
    )
    return builder.sign(authority, hashes.SHA256())


def _write(name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (CERTIFICATES / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (CERTIFICATES / f"{name}.key").write_bytes(private)


def _make() -> None:
    authority = ec.generate_private_key(ec.SECP256R1())
    ca = _sign("authority of the tests", authority, authority, is_authority=True)
    (CERTIFICATES / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(name, _sign(name, key, authority, is_authority=False), key)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"nobody knows it"),
    )
    (CERTIFICATES / "encrypted.key").write_bytes(locked)


_make()
