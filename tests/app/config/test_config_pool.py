"""How connections are made and kept, as it can be configured: and above all, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.pool import Pool, Tls
from tests.harness.tls import CA, CERTIFICATES, CLIENT


def pool(text: str, more: str = "") -> str:
    return f"providers: {{acme: {{base_url: https://api.acme.test/v1{more}, pool: {text}}}}}"


def test_what_is_said_reaches_the_provider(loads) -> None:
    text = pool(
        f'{{transport: httpx2, keepalive: 15s, proxy: "http://u:p@proxy.acme.test:3128", tls: {{ca_file: {CA}}}}}'
    )
    (active,) = loads(text).providers
    assert active.pool.keepalive == 15.0
    assert active.pool.transport == "httpx2"
    assert active.pool.proxy.reveal() == "http://u:p@proxy.acme.test:3128"
    assert active.pool.tls == Tls(ca_file=CA)
    assert "u:p" not in repr(active)


def test_what_is_not_said_is_the_default(loads) -> None:
    (active,) = loads("", environ={"OPENAI_API_KEY": "sk-pool-0123456789"}).providers
    assert active.pool == Pool(transport="auto", keepalive=60.0, proxy=None, tls=Tls())


def test_an_empty_variable_is_no_proxy(loads) -> None:
    (active,) = loads(pool('{proxy: "${EGRESS:-}"}')).providers
    assert active.pool.proxy is None


def test_a_proxy_stands_in_a_file_of_its_own(loads, tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("http://u:p@proxy.acme.test:3128\n")
    (active,) = loads(pool("{proxy: {file: proxy}}")).providers
    assert active.pool.proxy.reveal() == "http://u:p@proxy.acme.test:3128"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("socks5://proxy.acme.test", "must begin with https:// or http://"),
        ("proxy.acme.test:3128", "must begin with https:// or http://"),
        ("http://proxy.acme.test/path", "has no path"),
        ("http://proxy.acme.test?x", "`?` or `#`"),
        ("http://", "no host"),
        ("http://u:hunter2@", "no host"),
        ("http://u:hunter 2@proxy.acme.test", "user name or password"),
        ("http://u:hunter2@x@proxy.acme.test", "user name or password"),
        ("http://%00:hunter2@proxy.acme.test", "user name or password"),
        ("http://10.0.0.1:3128", "10.0.0.1 is no public address"),
        ("http://u:hunter2@localhost:3128", "localhost is no public address"),
        ("http://0x7f.1:3128", "0x7f.1 is no public address"),
    ],
)
def test_what_is_no_proxy(complaints, url: str, said: str) -> None:
    (line,) = complaints(pool(f'{{proxy: "{url}"}}'))
    assert line.startswith("config.yaml:1:")
    assert ": providers.acme.pool.proxy: " in line
    assert said in line
    assert "hunter" not in line


@pytest.mark.parametrize(
    "url", ["http://proxy.acme.test:3128", "https://u:p@proxy.acme.test/", "http://u%40x:p:q@1.1.1.1:80"]
)
def test_what_is_one(complaints, url: str) -> None:
    assert complaints(pool(f'{{proxy: "{url}"}}')) == []


def test_a_private_proxy_needs_the_leave_that_a_private_address_needs(complaints) -> None:
    assert complaints(pool('{proxy: "http://10.0.0.1:3128"}', more=", allow_private: true")) == []


def test_lean_goes_through_no_proxy(complaints) -> None:
    (line,) = complaints(pool('{transport: lean, proxy: "http://proxy.acme.test:3128"}'))
    assert "only httpx2 goes through a proxy; leave `transport` at auto" in line


def test_there_is_no_way_to_trust_everybody(complaints) -> None:
    (line,) = complaints(pool("{tls: {verify: false}}"))
    assert "providers.acme.pool.tls.verify: unknown key" in line


def files(**settings: str) -> str:
    inside = ", ".join(f"{name}: {path}" for name, path in settings.items())
    return pool(f"{{tls: {{{inside}}}}}")


ENCRYPTED = str(CERTIFICATES / "encrypted.key")
SERVER_KEY = str(CERTIFICATES / "server.key")


@pytest.mark.parametrize(
    ("settings", "place", "said"),
    [
        ({"ca_file": "none.pem"}, "ca_file", "none.pem cannot be read: No such file or directory"),
        ({"ca_file": "."}, "ca_file", ". cannot be read: Is a directory"),
        ({"ca_file": "config.yaml"}, "ca_file", "config.yaml holds no certificate"),
        ({"cert_file": "none.pem"}, "cert_file", "cannot be read"),
        ({"cert_file": CLIENT["cert_file"], "key_file": "none.key"}, "key_file", "cannot be read"),
        ({"cert_file": CLIENT["cert_file"]}, "cert_file", "no certificate with its private key"),
        ({"cert_file": "config.yaml"}, "cert_file", "no certificate with its private key"),
        (
            {"cert_file": CLIENT["cert_file"], "key_file": SERVER_KEY},
            "key_file",
            "that of another certificate",
        ),
        (
            {"cert_file": CLIENT["cert_file"], "key_file": ENCRYPTED},
            "key_file",
            "the private key is encrypted",
        ),
    ],
)
def test_a_file_that_cannot_be_used(complaints, settings: dict[str, str], place: str, said: str) -> None:
    (line,) = complaints(files(**settings))
    assert line.startswith("config.yaml:1:")
    assert f": providers.acme.pool.tls.{place}: " in line
    assert said in line


def test_a_key_needs_its_certificate(complaints) -> None:
    (line,) = complaints(files(key_file=CLIENT["key_file"]))
    assert "providers.acme.pool.tls: key_file stands without cert_file" in line


def test_a_certificate_and_its_key_may_share_a_file(complaints, tmp_path: Path) -> None:
    both = Path(CLIENT["cert_file"]).read_text() + Path(CLIENT["key_file"]).read_text()
    (tmp_path / "both.pem").write_text(both)
    assert complaints(files(cert_file="both.pem")) == []
    assert complaints(files(**CLIENT)) == []
