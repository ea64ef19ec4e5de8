"""Where a client is, behind proxies that are trusted and headers that are not."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.forwarded import client_network

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1/32")]


def seen(peer: str | None, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded]
    return client_network({"client": (peer, 1) if peer else None, "headers": headers}, TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        # Whoever comes directly says nothing about itself.
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        # From the right: what the client itself wrote stands left of what the proxy added.
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9 , 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ['"[2001:db8:1:2:3::4]:4711"'], "2001:db8:1:2::/64"),
        ("fd00::1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        # What is no address ends the way.
        ("10.0.0.1", ["1.1.1.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, , 10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["\xff\xfe"], "10.0.0.1"),
        (None, ["203.0.113.9"], "unknown"),
        ("/run/switchgear.sock", ["203.0.113.9"], "unknown"),
    ],
)
def test_the_client_of_a_request(peer: str | None, forwarded: list[str], client: str) -> None:
    assert seen(peer, *forwarded) == client


@given(st.lists(st.text(max_size=20), max_size=5), st.ip_addresses(v=4))
def test_what_stands_left_of_the_client_changes_nothing(forged: list[str], client: object) -> None:
    line = ",".join([*(each.encode("latin-1", "ignore").decode("latin-1") for each in forged), str(client)])
    trusted = any(ip_address(str(client)) in network for network in TRUSTED)
    assert trusted or seen("10.0.0.1", line) == str(client)
