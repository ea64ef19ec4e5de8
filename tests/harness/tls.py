"""Certificates for tests, valid until 2126: an authority, a server named localhost and 127.0.0.1, and a client.

Made with `openssl req -x509` and `openssl x509 -req`; the authority's key was thrown away.
"""

from __future__ import annotations

import ssl
from pathlib import Path

CERTIFICATES = Path(__file__).with_name("certificates")
CA = str(CERTIFICATES / "ca.pem")
CLIENT = {"cert_file": str(CERTIFICATES / "client.pem"), "key_file": str(CERTIFICATES / "client.key")}


def server_tls(*, asks_for_certificate: bool = False) -> ssl.SSLContext:
    """Give the context of a server; it may ask its clients for a certificate of the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CA)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
