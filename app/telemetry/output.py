"""Standard output, written by a thread of its own: whoever reads it slowly must not hold up calls."""

from __future__ import annotations

import queue
import threading
import time
from typing import IO

WAITING = 20_000
"""Lines that wait to be written. Beyond it lines are dropped and counted: a log is not worth a call."""
BATCH = 1024
GATHER = 0.02
"""Seconds from a first line to its writing, for others to join it: waking a thread for each costs calls more than the line."""
END = b""


class Output:
    """Takes lines from any thread, writes them in order from one."""

    def __init__(self, out: IO[bytes], *, waiting: int = WAITING) -> None:
        self.dropped = 0
        self._out = out
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting = waiting
        self._thread = threading.Thread(target=self._write_always, name="output", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Take a line, its line feed included. Never waits, never raises."""
        if self._lines.qsize() < self._waiting:
            self._lines.put(line)
        else:
            self.dropped += 1

    def write(self, text: str) -> None:
        """Take text, as `logging.StreamHandler` writes it."""
        self.put(text.encode(errors="replace"))

    def flush(self) -> None:
        """Do nothing: the thread flushes when it has nothing more to write."""

    def close(self, within: float) -> None:
        """Write what waits, for so many seconds at most."""
        self._lines.put(END)
        self._thread.join(within)

    def _write_always(self) -> None:
        while True:
            lines = [self._lines.get()]
            if lines[0] != END and self._lines.qsize() < BATCH:
                time.sleep(GATHER)
            while len(lines) < BATCH and not self._lines.empty():
                lines.append(self._lines.get())
            try:
                self._out.write(b"".join(lines))
                self._out.flush()
            except (OSError, ValueError):
                # A closed pipe or a full disk.
                self.dropped += len(lines)
            if END in lines:
                return
