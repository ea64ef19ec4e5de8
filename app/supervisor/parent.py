"""The supervisor: starts the processes that serve, keeps their sockets, passes signals on, replaces them.

It imports nothing of the gateway and no library: it stays small, and whatever breaks a serving process cannot break it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType

from app.supervisor.lifeline import MOST_LISTENERS, READY, VARIABLE
from app.supervisor.succession import Action, End, LetGo, Say, Send, Start, Succession

CANNOT_START = 71
"""The status of a process that could not even be started: EX_OSERR of sysexits.h."""


def supervise(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Have the command serve until told to stop; give the status to end with."""
    return Parent(command, environment).run()


class Parent:
    """Runs a `Succession`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._succession = Succession()
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._status: int | None = None
        self._asked: dict[int, Callable[[signal.Signals], Iterator[Action]]] = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: self._hang_up,
            signal.SIGUSR2: lambda _: self._succession.restart(),
            signal.SIGCHLD: lambda _: self._reap(),
        }
        self._on_terminal = os.isatty(0)

    def run(self) -> int:
        """Run until the last process has ended."""
        waking, woken = socket.socketpair()
        for end in (waking, woken):
            end.settimeout(0.0)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in self._asked:
            signal.signal(number, _wake)
        self._selector.register(waking, selectors.EVENT_READ)
        self._do(self._succession.begin())
        while self._status is None:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is waking:
                    for number in waking.recv(4096):
                        self._do(self._asked[number](signal.Signals(number)))
                else:
                    self._hear(key.fileobj, key.data)  # type: ignore[arg-type]  # none but sockets are registered
            self._do(self._succession.due(time.monotonic()))
        return self._status if self._status >= 0 else 128 - self._status

    def _patience(self) -> float | None:
        due = self._succession.next_due()
        return None if due is None else max(0.0, due - time.monotonic())

    def _do(self, actions: Iterable[Action]) -> None:
        for action in list(actions):
            match action:
                case Start(place):
                    self._start(place)
                case Send(pid, number):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                case Say(text):
                    _say(text)
                case LetGo():
                    self._keep([])
                case End(status):
                    self._status = status

    def _start(self, place: int) -> None:
        ours, theirs = socket.socketpair()
        try:
            pid = self._spawn([theirs, *self._listeners])
        except OSError as error:
            ours.close()
            _say(f"no process can be started: {error.strerror}")
            self._succession.started(place, 0, time.monotonic())
            self._do(self._succession.ended(0, CANNOT_START, time.monotonic()))
            return
        finally:
            theirs.close()
        self._selector.register(ours, selectors.EVENT_READ, pid)
        self._succession.started(place, pid, time.monotonic())

    def _spawn(self, passed: Sequence[socket.socket]) -> int:
        for each in passed:
            each.set_inheritable(True)
        numbers = ",".join(str(each.fileno()) for each in passed)
        # In a group of its own: what is typed at a terminal reaches it through this process, once.
        return os.posix_spawn(
            self._command[0], self._command, {**self._environment, VARIABLE: numbers}, setpgroup=0
        )

    def _hear(self, control: socket.socket, pid: int) -> None:
        """Take the sockets of a process that says it serves; they are the ones for those to come."""
        message, descriptors, _, _ = socket.recv_fds(control, len(READY), MOST_LISTENERS)
        if message == READY and descriptors:
            self._keep([socket.socket(fileno=each) for each in descriptors])
            self._do(self._succession.ready(pid, time.monotonic()))
        elif not message:
            self._selector.unregister(control)
            control.close()

    def _keep(self, listeners: list[socket.socket]) -> None:
        """Keep these sockets, and no other ones."""
        for each in self._listeners:
            each.close()
        self._listeners = listeners

    def _reap(self) -> Iterator[Action]:
        """Take note of all that have ended: as a container's first process also of those it did not start."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            yield from self._succession.ended(pid, os.waitstatus_to_exitcode(status), time.monotonic())

    def _stop(self, number: signal.Signals) -> Iterator[Action]:
        return self._succession.stop(number)

    def _hang_up(self, _: signal.Signals) -> Iterator[Action]:
        if self._on_terminal and not os.isatty(0):
            return self._succession.stop(signal.SIGTERM)  # the terminal it was started on is gone
        return self._succession.reload()


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the signal is read where the loop is woken."""


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"switchgear: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the log is the serving process's
