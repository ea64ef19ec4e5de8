"""One attempt while it runs, and what can become of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from app.gateway.account import BYTES_PER_TOKEN, Tally
from app.gateway.attempt import Batches
from app.gateway.forecast import output_cap
from app.gateway.guard import Passages, Use
from app.gateway.units import NOTHING as NO_USAGE
from app.gateway.units import WORDS, expected
from app.gateway.verdicts import NOTHING, SUCCESS, Verdict
from app.limits.estimate import input_estimate
from app.telemetry.record import UsageSource
from app.usage.rates import Rates
from providers.types import Call, Chunk, Target, Usage


class Ending(NamedTuple):
    """How an attempt has ended."""

    outcome: str
    """As the ledger writes it."""
    status: int | None = None
    """The upstream's HTTP status, where it sent one."""
    billed: bool = True
    """Whether the provider may have begun to work."""
    complete: bool = False
    """Whether its answer came to its end."""
    verdict: Verdict = NOTHING
    cut_short: bool = False
    """Whether it was not the target that ended it."""


SUCCEEDED = Ending("success", 200, complete=True, verdict=SUCCESS)
CANCELLED = Ending("cancelled", cut_short=True)
HEDGE_LOST = Ending("hedge_lost", cut_short=True)
BROKEN = Ending("internal_error", cut_short=True)
"""A fault of ours."""


class Contest(Protocol):
    """What stands between an attempt's first content and the client."""

    async def begin(self, trial: Trial, batches: Batches) -> Sequence[Chunk]:
        """Give what is to go out before the rest of a stream, counted already."""
        ...

    def win(self, trial: Trial) -> None:
        """Let a whole answer through. Raises `CancelledError` where another has answered."""
        ...


class Alone:
    """The contest of an attempt that has no rival."""

    async def begin(self, _trial: Trial, _batches: Batches) -> Sequence[Chunk]:
        """Give nothing."""
        return ()

    def win(self, trial: Trial) -> None:
        """Do nothing."""


ALONE = Alone()


def _only_spoken(usage: Usage) -> Usage | None:
    """Give what a use would be that counts characters alone: sound that is passed on says nothing of its tokens."""
    return Usage(characters=usage.characters) if usage.characters else None


@dataclass(slots=True, eq=False)
class Trial:
    """One attempt: what it holds, and what its answer has shown so far."""

    use: Use
    rates: Rates | None
    started: float
    """Monotonic seconds."""
    passages: Passages | None
    """None once it has ended."""
    tally: Tally = field(default_factory=Tally)
    billed: bool = False
    """Whether the provider may bill it, once it has ended."""
    contest: Contest = field(default=ALONE, repr=False)

    @property
    def target(self) -> Target:
        """What is tried, with the credential."""
        return self.use.target

    def used(self, call: Call, *, complete: bool) -> tuple[Usage, UsageSource]:
        """Give the usage of an attempt that the provider bills: its own count of a whole answer, else an estimate."""
        seen = self.tally.usage
        if complete and seen is not None and seen != _only_spoken(seen):
            return seen, "provider"
        if call.operation not in WORDS:
            return self._used_beside_words(call, seen or NO_USAGE), "estimated"
        known = seen or Usage()
        output = known.output_tokens - (-self.tally.uncounted_bytes // BYTES_PER_TOKEN)
        if (cap := output_cap(call)) is not None:
            # Tokens may be longer than that, but there are no more of them than the call allowed.
            output = max(known.output_tokens, min(output, cap))
        prompt = known.input_tokens or input_estimate(call)
        estimate = Usage(
            input_tokens=prompt,
            output_tokens=output,
            cached_tokens=known.cached_tokens,
            cache_write_tokens=known.cache_write_tokens,
        )
        return estimate, "estimated"

    def _used_beside_words(self, call: Call, known: Usage) -> Usage:
        """Guess what nobody has told, from the request."""
        guess = expected(call)
        output = known.output_tokens or guess.output_tokens or -(-self.tally.text_bytes // BYTES_PER_TOKEN)
        return msgspec.structs.replace(
            guess,
            input_tokens=known.input_tokens or guess.input_tokens + input_estimate(call),
            output_tokens=output,
            audio_seconds=known.audio_seconds or guess.audio_seconds,
            images=known.images or guess.images,
        )

    def cost(self, usage: Usage) -> int | None:
        """Give the nano-dollars of a usage; None where the price is not known."""
        return None if self.rates is None else self.rates.cost(usage)
