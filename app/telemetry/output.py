"""Standard output, written by a thread of its own: whoever reads it slowly must not hold up calls."""

from __future__ import annotations

import queue
import threading
from typing import IO

WAITING = 20_000
"""Lines that wait to be written. Beyond it lines are dropped and counted: a log is not worth a call."""
BATCH = 256
END = b""


class Output:
    """Takes lines from any thread, writes them in order from one."""

    def __init__(self, out: IO[bytes], *, waiting: int = WAITING) -> None:
        self.dropped = 0
        self._out = out
        self._lines: queue.Queue[bytes] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._write_always, name="output", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Take a line, its line feed included. Never waits, never raises."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def write(self, text: str) -> None:
        """Take text, as `logging.StreamHandler` writes it."""
        self.put(text.encode(errors="replace"))

    def flush(self) -> None:
        """Do nothing: the thread flushes when it has nothing more to write."""

    def close(self, within: float) -> None:
        """Write what waits, for so many seconds at most."""
        try:
            self._lines.put(END, timeout=within)
        except queue.Full:
            return
        self._thread.join(within)

    def _write_always(self) -> None:
        while True:
            lines = [self._lines.get()]
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
