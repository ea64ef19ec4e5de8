"""Which addresses are the public Internet's. Pure; used on literals at load and on every connection."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# From the IANA special-purpose address registries (RFC 6890 and what has come since), spelt out:
# the standard library's own idea of them has changed between patch releases.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, where clouds keep their metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: reaches the IPv4 address inside it
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|\d+")


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public Internet; for a mapped or NAT64 one, the IPv4 inside counts."""
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is None:
            return ip in _GLOBAL_6 and not any(ip in network for network in _NOT_PUBLIC_6)
        ip = inner
    return not any(ip in network for network in _NOT_PUBLIC_4)


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host as an address, or nothing if it is a name.

    Takes the forms that the C library takes for IPv4 (`inet_aton`): one to four parts, each decimal,
    octal (`0177`) or hexadecimal, the last filling what is left.
    """
    if ":" in host:
        try:
            return IPv6Address(host.strip("[]").partition("%")[0])
        except ValueError:
            return None
    parts = host.removesuffix(".").split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    return _from_numbers([_number(part) for part in parts])


def _number(text: str) -> int:
    if text[:2] in {"0x", "0X"}:
        return int(text[2:] or "0", 16)
    try:
        return int(text, 8 if text.startswith("0") else 10)
    except ValueError:
        # 08 and 09 are no octal numbers, and no name either: out of every range.
        return 1 << 64


def _from_numbers(numbers: list[int]) -> IPv4Address:
    *heads, tail = numbers
    if any(head > 255 for head in heads) or tail >= 1 << 8 * (4 - len(heads)):
        # No address at all; nothing public may come of it.
        return IPv4Address(0)
    value = tail
    for index, head in enumerate(heads):
        value |= head << 8 * (3 - index)
    return IPv4Address(value)
