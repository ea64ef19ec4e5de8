"""Breakers as hints between processes: what one has opened, the others leave alone for a moment too.

Hints travel in the background, and no call waits for one. They end by themselves, within seconds: each
process closes, probes and counts for itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from app.gateway.breakers import Breakers
from app.state.membership import BEAT, PRELUDE, Joined, Membership
from app.state.script import Script, key_of, read_script

LONGEST = 3 * BEAT
"""Seconds that a hint holds, unless it is told again."""
MOST = 200
"""Hints that a process gives at once."""
_SHARE = read_script(PRELUDE, Path(__file__).parent / "hints.lua")
_KEY = key_of("hints")
_MICRO = 1_000_000


class BreakerHints:
    """A `Participant` in the shared state."""

    scripts: tuple[Script, ...] = (_SHARE,)

    def __init__(self, breakers: Breakers, membership: Membership, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds."""
        self._breakers = breakers
        self._membership = membership
        self._now = now

    async def restore(self, joined: Joined) -> None:
        """There is nothing to bring back."""

    def resume(self, joined: Joined) -> None:
        """There is nothing to bring back."""

    async def tend(self, joined: Joined) -> None:
        """Tell what is open here, and learn what is open elsewhere. Raises `StateLost`."""
        args: list[object] = [self._membership.clock(), joined.member]
        for name, left in self._breakers.openings(self._now())[:MOST]:
            args += [json.dumps(name), int(min(left, LONGEST) * _MICRO)]
        reply = await joined.link.ask(_SHARE, [_KEY], args)
        now, hints = self._now(), {}
        for name, left in zip(reply[::2], reply[1::2], strict=True):
            provider, model = json.loads(name)
            hints[provider, model] = now + left / _MICRO
        self._breakers.take_hints(hints)
