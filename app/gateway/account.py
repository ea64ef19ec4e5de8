"""What one attempt has used and cost, from what its answer has shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.limits.estimate import input_estimate
from app.telemetry.record import UsageSource
from app.usage.rates import Rates
from providers.types import Call, Chunk, Target, Usage

BYTES_PER_TOKEN = 4
"""Of generated text. Used only where the provider gave no count."""


@dataclass(slots=True)
class Tally:
    """What an answer has shown so far."""

    usage: Usage | None = None
    model: str | None = None
    text_bytes: int = 0

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Take what these chunks show."""
        for chunk in chunks:
            self.usage = chunk.usage or self.usage
            self.model = chunk.model or self.model
            self.text_bytes += chunk.text_bytes


@dataclass(slots=True)
class Try:
    """One attempt while it runs."""

    target: Target
    rates: Rates | None
    started: float
    """Monotonic seconds."""
    tally: Tally = field(default_factory=Tally)

    def used(self, call: Call, *, complete: bool) -> tuple[Usage, UsageSource]:
        """Give the usage of an attempt that the provider bills: its own count of a whole answer, else an estimate."""
        seen = self.tally.usage
        if complete and seen is not None:
            return seen, "provider"
        known = seen or Usage()
        output = max(known.output_tokens, -(-self.tally.text_bytes // BYTES_PER_TOKEN))
        prompt = known.input_tokens or input_estimate(call)
        estimate = Usage(
            input_tokens=prompt,
            output_tokens=output,
            cached_tokens=known.cached_tokens,
            cache_write_tokens=known.cache_write_tokens,
        )
        return estimate, "estimated"

    def cost(self, usage: Usage) -> int | None:
        """Give the nano-dollars of a usage; None where the price is not known."""
        return None if self.rates is None else self.rates.cost(usage)
