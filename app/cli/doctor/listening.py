"""The address: is it free, does a gateway answer there, and who may reach it?"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from app.api.addresses import is_loopback
from app.cli.doctor.finding import Finding, broken, ok, warn
from app.cli.healthcheck import Address, address_of, admin_address_of, ask
from app.config.models import Config


def look_at_address(config: Config, live_keys: int) -> Iterator[Finding]:
    """Look at who answers and who may call; `live_keys` counts those of the database."""
    yield _port("port", address_of(config.server), config.server.host, "server")
    admin = config.admin
    if admin.port is not None:
        yield _port("admin port", admin_address_of(config), admin.host, "admin")
        if not is_loopback(admin.host):
            yield warn(
                "admin access",
                f"{admin.host} is reached from other machines, unencrypted",
                "put TLS in front of it",
            )
    yield from _open_to_all(config, live_keys)
    if not is_loopback(config.server.host) and config.metrics.token is None:
        yield ok("metrics", "only this machine may read /metrics; `metrics.token` would let others")


def _port(subject: str, address: Address, host: str, section: str) -> Finding:
    place = f"{host}:{address.port}"
    if address.port == 0:
        return ok(subject, "any free one")
    health = ask(address)
    if health.ours:
        return ok(subject, f"a gateway answers on {place} and is ready")
    if health.answers:
        return broken(
            subject,
            f"something else answers on {place}, or a gateway that is not ready",
            f"set `{section}.port` or stop it",
        )
    if reason := _cannot_bind(host, address.port):
        return broken(
            subject, f"{place}: {reason}", f"set `{section}.host` and `{section}.port` to what is free"
        )
    return ok(subject, f"{place} is free")


def _cannot_bind(host: str, port: int) -> str | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    except UnicodeError:
        return "that is no host name"
    return None


def _open_to_all(config: Config, live_keys: int) -> Iterator[Finding]:
    host = config.server.host
    if is_loopback(host):
        return
    if config.auth.master_key or config.auth.keys or config.auth.jwt or live_keys:
        yield warn("access", f"{host} is reached from other machines, unencrypted", "put TLS in front of it")
    else:
        yield broken(
            "access",
            f"{host} is reached from other machines, and there is no key",
            "set SWITCHGEAR_MASTER_KEY or `auth.keys`, or `switchgear keys create`: it does not start without",
        )
