"""The listening sockets: opened, or taken over from the process before."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from app.config.models import Config

BACKLOG = 4096
"""Connections that may wait to be accepted: as many as Linux allows by itself. Beyond it clients wait for seconds."""
UNSENT = 128 << 10
"""Bytes that the kernel may hold for a client beyond what is on its way; else it takes megabytes for one that stalls."""
Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As the socket module gives it for IPv4, IPv6, and where it knows neither."""
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Address]


class CannotListen(Exception):
    """The address cannot be listened on; the text says why."""


class Wanted(NamedTuple):
    """Where to listen."""

    host: str
    port: int
    setting: str
    """Where another port may be chosen, for people."""


def wanted_by(config: Config) -> list[Wanted]:
    """Say where a configuration has the gateway listen: for all, and where the admin API is alone, if it is."""
    server, admin = config.server, config.admin
    found = [Wanted(server.host, server.port, "`--port` or `server.port`")]
    if admin.port is not None:
        found.append(Wanted(admin.host, admin.port, "`admin.port`"))
    return found


def listen(wanted: Sequence[Wanted], inherited: Sequence[socket.socket] = ()) -> list[socket.socket]:
    """Give a socket that listens for each: the inherited one that does, else a new one. Raises `CannotListen`.

    A new address takes effect with a restart too: the process before goes on with its own sockets.
    """
    left = list(inherited)
    found = [(each, *_resolved(each, left)) for each in wanted]
    for listener in left:
        listener.close()
    return [taken or _opened(each, place) for each, place, taken in found]


def _resolved(wanted: Wanted, left: list[socket.socket]) -> tuple[AddressInfo, socket.socket | None]:
    """Look an address up, and take the socket that listens on it out of those that are left."""
    with _refusing(wanted):
        place = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
    taken = next((each for each in left if _is_there(each, place[4])), None)
    if taken is not None:
        left.remove(taken)
    return place, taken


def _opened(wanted: Wanted, place: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = place
    with _refusing(wanted):
        return _open(socket.socket(family, kind, protocol), address)


@contextmanager
def _refusing(wanted: Wanted) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such address"
        raise CannotListen(
            f"cannot listen on {wanted.host}:{wanted.port}: {reason}; choose another with {wanted.setting}"
        ) from None


def _open(listener: socket.socket, address: Address) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # on Linux and macOS
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_there(listener: socket.socket, address: Address) -> bool:
    """Whether it listens on that address; port 0 is any port."""
    host, port = listener.getsockname()[:2]
    return host == address[0] and address[1] in {0, port}
