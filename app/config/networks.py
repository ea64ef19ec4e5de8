"""The type of a network: an address, or many that begin alike."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from app.config.scalars import refuse

AnyNetwork = IPv4Network | IPv6Network


def network(value: object) -> AnyNetwork:
    """Read `10.0.0.0/8`, `10.1.2.3` or `fd00::/8`."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        refuse("must be a network", "such as `10.0.0.0/8`")
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        refuse(f"`{value}` is no network", "write an address or a network, such as `10.0.0.0/8`")
    return refuse(f"`{value}` has bits beyond its mask", f"write `{meant}`")


Network = Annotated[
    AnyNetwork,
    PlainValidator(network),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8"]}),
]
