"""`switchgear healthcheck`: does the gateway answer that it is ready? Plain sockets, so that it starts fast."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from app.api.addresses import is_loopback
from app.cli.addresses import in_url, reachable
from app.cli.options import fail, load_or_fail

if TYPE_CHECKING:
    from app.config.models import Config, Server

WITHIN = 2.0
"""Seconds for everything: connecting, asking, reading."""
PATH = "/health/ready"
ANSWER_LIMIT = 64 << 10
_READY = b'{"status":"ok",'


class Health(NamedTuple):
    """What came of asking."""

    ready: bool
    reason: str
    """Why it is not ready; empty if it is."""
    answers: bool
    """Whether anybody answered at all."""
    ours: bool
    """Whether the answer is the one that a Switchgear gives."""


class Address(NamedTuple):
    """Where to ask, and the name to ask for."""

    host: str
    port: int
    name: str
    """The `Host` header."""


def ask(address: Address) -> Health:
    """Ask once whether the gateway is ready. Total."""
    try:
        answer = _exchange(address, time.monotonic() + WITHIN)
    except TimeoutError:
        return Health(ready=False, reason=f"no answer within {WITHIN:g} s", answers=False, ours=False)
    except OSError as error:
        return Health(ready=False, reason=error.strerror or str(error), answers=False, ours=False)
    except UnicodeError:
        return Health(ready=False, reason=f"`{address.host}` is no host name", answers=False, ours=False)
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2] if head.startswith(b"HTTP/1.") else []
    ready = status == [b"200"]
    said = (
        f"it answered {status[0].decode('ascii', 'replace')[:3]}" if status else "what answers speaks no HTTP"
    )
    return Health(
        ready=ready, reason="" if ready else said, answers=True, ours=ready and body.startswith(_READY)
    )


def chosen_address(url: str | None, config: list[Path] | None) -> Address:
    """Give the address of a URL on this machine or of the configuration. Ends the command for any other."""
    given = _address_in(url) if url is not None else None
    if given and is_loopback(given.host):
        # Without reading a configuration, which takes most of the time.
        return given
    configured = address_of(load_or_fail(config).config.server)
    if given and given.host != configured.host:
        fail(f"only this machine and the configured host are asked, and {given.host} is neither")
    return given or configured


def address_of(server: Server) -> Address:
    """Give the address of the gateway of a configuration, with a `Host` that its `allowed_hosts` take."""
    return _address(server.host, server.port, server)


def admin_address_of(config: Config) -> Address:
    """Give the address of the admin API of a configuration, likewise."""
    admin = config.admin
    if admin.port is None:
        return address_of(config.server)
    return _address(admin.host, admin.port, config.server)


def _address(listening: str, port: int, server: Server) -> Address:
    host = reachable(listening)
    name = f"{in_url(host)}:{port}"
    if server.allowed_hosts and "*" not in server.allowed_hosts:
        name = server.allowed_hosts[0].replace("*", "healthcheck")
    return Address(host, port, name)


def _address_in(url: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        fail(f"`{url}` is no URL; write one like http://127.0.0.1:4000")
    if parts.scheme != "http" or not parts.hostname or parts.path.rstrip("/") not in {"", PATH}:
        fail(f"`{url}` is not where a gateway is; write a URL like http://127.0.0.1:4000")
    return Address(parts.hostname, port, parts.netloc.rpartition("@")[2])


def _exchange(address: Address, deadline: float) -> bytes:
    request = f"GET {PATH} HTTP/1.1\r\nHost: {address.name}\r\nConnection: close\r\n\r\n"
    answer = bytearray()
    with socket.create_connection((address.host, address.port), timeout=WITHIN) as connection:
        connection.sendall(request.encode("ascii", "replace"))
        while len(answer) < ANSWER_LIMIT:
            # A timeout of the socket is one of a single step: the steps together must not exceed it.
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = connection.recv(4096)
            if not piece:
                break
            answer += piece
    return bytes(answer)
