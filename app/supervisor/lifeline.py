"""What ties a serving process to the one that started it: it says when it serves, and notices the other's end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, MutableMapping, Sequence
from typing import Protocol

VARIABLE = "SWITCHGEAR_SUPERVISOR"
"""Tells a process the descriptors that it was started with: of its lifeline, and of the sockets if there are any."""
READY = b"R"
MOST_LISTENERS = 2
"""Sockets that are handed over at most: the one for all, and the admin API's."""


class Readers(Protocol):
    """An event loop, as far as it is needed."""

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back when there is something to read."""

    def remove_reader(self, fd: int) -> object:
        """Stop that."""


class NoLifeline:
    """Nobody watches over this process."""

    inherited: Sequence[socket.socket] = ()

    def ready(self, listeners: Sequence[socket.socket]) -> None:
        """Tell nobody."""

    def on_end(self, loop: Readers, call: Callable[[], object]) -> None:
        """Hear of nothing."""


class Lifeline(NoLifeline):
    """A socket to the process that started this one."""

    def __init__(self, control: socket.socket, inherited: Sequence[socket.socket]) -> None:
        self.inherited = inherited
        """The sockets to go on with."""
        self._control = control

    def ready(self, listeners: Sequence[socket.socket]) -> None:
        """Say that this process accepts connections, and hand over the sockets that it does so on."""
        with contextlib.suppress(OSError):  # it has ended: `on_end` hears of that
            socket.send_fds(self._control, [READY], [each.fileno() for each in listeners])

    def on_end(self, loop: Readers, call: Callable[[], object]) -> None:
        """Call back once when the other process has ended, however that was."""
        number = self._control.fileno()

        def read() -> None:
            loop.remove_reader(number)
            call()

        loop.add_reader(number, read)


def is_watched(environment: MutableMapping[str, str]) -> bool:
    """Whether this process was started by a supervisor."""
    return VARIABLE in environment


def take_lifeline(environment: MutableMapping[str, str]) -> NoLifeline:
    """Take what this process was started with, and hide it from those that it starts."""
    given = environment.pop(VARIABLE, None)
    if given is None:
        return NoLifeline()
    control, *inherited = [_adopt(int(number)) for number in given.split(",")]
    return Lifeline(control, inherited)


def _adopt(number: int) -> socket.socket:
    # Built so, it knows its family; a TCP socket taken for another kind would delay small answers.
    adopted = socket.socket(fileno=number)
    adopted.set_inheritable(False)
    return adopted
