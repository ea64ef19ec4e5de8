"""The listening socket: opened, or taken over from the process before."""

from __future__ import annotations

import socket

BACKLOG = 4096
"""Connections that may wait to be accepted: as many as Linux allows by itself. Beyond it clients wait for seconds."""
UNSENT = 128 << 10
"""Bytes that the kernel may hold for a client beyond what is on its way; else it takes megabytes for one that stalls."""
Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As the socket module gives it for IPv4, IPv6, and where it knows neither."""


class CannotListen(Exception):
    """The address cannot be listened on; the text says why."""


def listen(host: str, port: int, inherited: socket.socket | None = None) -> socket.socket:
    """Give a socket that listens there: the inherited one if it does, else a new one. Raises `CannotListen`.

    A new address takes effect with a restart too: the process before goes on with its own socket.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if inherited is not None:
            if _is_there(inherited, address):
                return inherited
            inherited.close()
        return _open(socket.socket(family, kind, protocol), address)
    except (OSError, UnicodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such address"
        raise CannotListen(
            f"cannot listen on {host}:{port}: {reason}; choose another with `--port` or `server.port`"
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
