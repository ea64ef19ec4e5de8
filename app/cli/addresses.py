"""Where the gateway of a configuration is reached from this machine."""

from __future__ import annotations


def reachable(host: str) -> str:
    """Give the host to connect to for one that is listened on: `0.0.0.0` is nobody's address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def in_url(host: str) -> str:
    """Write a host as it stands in a URL."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
