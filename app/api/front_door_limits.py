"""How much of a client's time and bytes the front door gives it. Seconds and bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

NEVER = math.inf
"""The deadline of what is not being waited for."""


@dataclass(frozen=True, slots=True)
class FrontDoorLimits:
    """Bounds on one connection. Sizes in bytes, times in seconds, rates in bytes a second."""

    header_bytes: int = 32 * 1024
    """All header fields of a request together: names, values and their four bytes of punctuation."""
    header_count: int = 100
    url_bytes: int = 8 * 1024
    framing_bytes: int = 8 * 1024
    """What a chunked body may send without a byte of body in it: extensions and trailers."""
    pipelined: int = 32
    """Requests that may wait behind the one being answered."""
    header_deadline: float = 10.0
    """From the connection, or a later request's first byte, to the end of its headers."""
    body_deadline: float = 30.0
    """After so long, a body goes on only if it has kept `body_min_rate` on average."""
    body_min_rate: float = 1024.0
    body_rate_window: float = 10.0
    """Every such stretch of waiting for a body must bring `body_min_rate`."""
    write_buffer: int = 16 * 1024
    """What may wait for a client that does not read; with more, its provider is read no further."""
    write_stall: float = 60.0
    """How long a client may leave our full send buffer unread."""
    write_min_rate: float = 1024.0
    """A send buffer that drains faster than this is not stalled, only large."""
    keep_alive: int = 75
    """Silence between requests. Longer than the 60 s of the usual load balancers, so that they close first."""
    linger: float = 0.5
    """After a refusal: how long to read and discard, so that the answer is not lost in a reset."""


@dataclass(slots=True)
class BodyPace:
    """Whether one body comes fast enough. Its clock runs only while the application waits for it."""

    limits: FrontDoorLimits
    _since: float | None = field(default=None, init=False)
    _waited: float = field(default=0.0, init=False)
    _bytes: int = field(default=0, init=False)
    _window_from: float = field(default=0.0, init=False)
    _window_bytes: int = field(default=0, init=False)
    _check_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._check_at = min(self.limits.body_rate_window, self.limits.body_deadline)

    def wait(self, now: float) -> None:
        """Start the clock: the application asks for more."""
        self._since = now

    def rest(self, now: float) -> None:
        """Stop the clock: the application has got something."""
        if self._since is not None:
            self._waited += now - self._since
            self._since = None

    def took(self, count: int) -> None:
        """Count so many bytes of body."""
        self._bytes += count
        self._window_bytes += count

    @property
    def due(self) -> float:
        """When to ask `too_slow` next; `NEVER` while the clock stands."""
        return NEVER if self._since is None else self._since + self._check_at - self._waited

    def too_slow(self, now: float) -> bool:
        """Judge the window that has ended, and the whole body once its deadline has passed."""
        limits = self.limits
        clock = self._waited if self._since is None else self._waited + now - self._since
        if clock >= self._window_from + limits.body_rate_window:
            if self._window_bytes < limits.body_min_rate * limits.body_rate_window:
                return True
            self._window_from, self._window_bytes = clock, 0
        if clock >= limits.body_deadline and self._bytes < limits.body_min_rate * clock:
            return True
        window_end = self._window_from + limits.body_rate_window
        self._check_at = (
            window_end if clock >= limits.body_deadline else min(window_end, limits.body_deadline)
        )
        return False


@dataclass(slots=True)
class WriteStall:
    """Whether a client has stopped to read what we send."""

    limits: FrontDoorLimits
    due: float = field(default=NEVER, init=False)
    """When to ask `gave_up` next."""
    _size: int = field(default=0, init=False)

    def start(self, now: float, size: int) -> None:
        """Start the clock with so many bytes unsent."""
        self.due, self._size = now + self.limits.write_stall, size

    def stop(self) -> None:
        """Stop it: the buffer has drained."""
        self.due = NEVER

    def gave_up(self, now: float, size: int) -> bool:
        """Tell whether too little of the buffer has left since `start`; else start again."""
        if self._size - size < self.limits.write_min_rate * self.limits.write_stall:
            self.stop()
            return True
        self.start(now, size)
        return False
