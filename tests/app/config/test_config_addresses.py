"""Which addresses are public, and which base URLs are taken."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.addresses import is_public, literal
from app.config.urls import fault_of

PRIVATE = [
    *(
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
    ),
    *(
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
    ),
    *(
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
    ),
    *(
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
    ),
    *(
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
    ),
    *("fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255", "223.255.255.255"),
    *("2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_alike(ip) -> None:
    assert is_public(ip_address(f"::ffff:{ip}")) == is_public(ip) == is_public(ip_address(f"64:ff9b::{ip}"))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("10.1", "10.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("8.8.8.8", "8.8.8.8"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_forms_of_an_address(host: str, address: str) -> None:
    assert literal(host) == ip_address(address)


@pytest.mark.parametrize("host", ["256.1.1.1", "1.2.3.999", "4294967296", "09.1.1.1", "1.2.3.08"])
def test_numbers_that_are_no_address_are_nothing_public(host: str) -> None:
    found = literal(host)
    assert found is not None
    assert not is_public(found)


@pytest.mark.parametrize(
    "host", ["a.test", "1.2.3.4.5", "api.openai.com", "1password.com", "0xyz", "", "1..2", "::x"]
)
def test_names_are_no_addresses(host: str) -> None:
    assert literal(host) is None


@given(st.text(alphabet="0123456789abcdefxX.:%[]", max_size=30))
def test_any_host_can_be_asked(host: str) -> None:
    literal(host)


INSIDE = [
    *(
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "10.0.0.1",
        "100.64.0.1",
    ),
    *(
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "[fec0::1]",
    ),
    *("[fe80::1%25eth0]", "localhost", "LOCALHOST.", "a.localhost"),
]


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_inside_needs_leave(complaints, host: str) -> None:
    url = f"base_url: 'http://{host}:8000/v1'"
    (line,) = complaints(f"providers: {{acme: {{{url}}}}}")
    assert line.startswith("config.yaml:1:30: providers.acme.base_url: ")
    assert line.endswith("is no public address; set `allow_private: true` for this provider if that is meant")
    assert complaints(f"providers: {{acme: {{{url}, allow_private: true}}}}") == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("api.acme.test/v1", "must begin with https://"),
        ("ftp://a.test", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https://", "no host"),
        ("https:///v1", "no host"),
        ("https://good@evil.test", "user name or password"),
        ("https://u:p@a.test/v1", "user name or password"),
        ("https://@a.test", "user name or password"),
        ("https://a.test/v1?key=x", "`?` or `#`"),
        ("https://a.test/v1?", "`?` or `#`"),
        ("https://a.test/v1#x", "`?` or `#`"),
        ("https://a.test:99999/v1", "no valid URL"),
        ("https://a.test:x/v1", "no valid URL"),
        ("https://a.test:/v1", "port is no port"),
        ("https://a.test:0/v1", "port is no port"),
        ("https://[::1", "no valid URL"),
        ("https://a b.test", "a space or another character"),
        ("https://a.test/\n", "a space or another character"),
        ("https://a.test\\@evil.test", "a space or another character"),
        ("https://bücher.test", "a space or another character"),
        ("https://a.test%2fevil", "no host name"),
        ("https://-a.test", "no host name"),
        ("https://a..test", "no host name"),
        (f"https://{'a' * 64}.test", "no host name"),
        (f"https://{'a.' * 130}test", "no host name"),
        ("https://a.test/v1/../admin", "path holds dots"),
    ],
)
def test_what_is_no_base_url(url: str, message: str) -> None:
    for allow_private in (True, False):
        fault = fault_of(url, allow_private=allow_private)
        assert fault is not None
        assert message in fault.message
        assert fault.hint


@pytest.mark.parametrize(
    "url",
    [
        "https://api.acme.test/v1",
        "http://a.test:8080",
        "https://1.1.1.1/",
        "HTTPS://A.test/x_y",
        "https://[2606:4700::1]:443/v1",
    ],
)
def test_what_is_one(url: str) -> None:
    assert fault_of(url, allow_private=False) is None


@given(st.text(max_size=60))
def test_any_text_can_be_asked(text: str) -> None:
    fault_of("https://" + text, allow_private=False)
    fault_of(text, allow_private=True)
