"""Takes new connections from a listening socket, the more at once the more of them wait.

libuv takes one in each turn of the event loop (https://github.com/libuv/libuv/pull/3696). Under load the others wait
in the kernel, where nobody sees them, until it drops them and their clients try again after seconds. Taken in time,
their calls are begun or refused. Where few wait, one at a time leaves the others to the other workers.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress

AT_ONCE = 64
"""Connections taken in one turn at most: no burst is to make a turn long."""
PAUSE = 0.1
"""Seconds without taking any, where there is nothing to take them with."""
_NOTHING_LEFT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Takes the connections of one listening socket until it is closed. Make it where an event loop runs."""

    def __init__(self, listener: socket.socket, serve: Callable[[], asyncio.Protocol]) -> None:
        """`serve` gives the protocol of one connection."""
        self._listener = listener
        self._serve = serve
        self._loop = asyncio.get_running_loop()
        self._welcomes: set[asyncio.Task[None]] = set()
        self._at_once = 1
        self._pause: asyncio.TimerHandle | None = None
        listener.settimeout(0)
        self._begin()

    def close(self) -> None:
        """Take no more. The socket stays open."""
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._listener)

    def _begin(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        for _ in range(self._at_once):
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                self._at_once = 1
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _NOTHING_LEFT:
                    raise
                self._wait()
                return
            self._welcome(connection)
        self._at_once = min(AT_ONCE, 2 * self._at_once)

    def _wait(self) -> None:
        # The socket stays readable all the while, and would be asked without end.
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE, self._begin)

    def _welcome(self, connection: socket.socket) -> None:
        task = self._loop.create_task(self._connect(connection))
        self._welcomes.add(task)
        task.add_done_callback(self._welcomes.discard)

    async def _connect(self, connection: socket.socket) -> None:
        with suppress(OSError):
            await self._loop.connect_accepted_socket(self._serve, connection)
