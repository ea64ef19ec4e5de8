"""What one attempt has used and cost, from what its answer has shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from app.gateway.forecast import output_cap
from app.limits.estimate import input_estimate
from app.telemetry.record import UsageSource
from app.usage.rates import Rates
from providers.types import Call, Chunk, Reply, Target, Usage

BYTES_PER_TOKEN = 4
"""Of generated text. Used only where the provider gave no count."""


@dataclass(slots=True)
class Tally:
    """What an answer has shown so far."""

    usage: Usage | None = None
    model: str | None = None
    text_bytes: int = 0
    uncounted_bytes: int = 0
    """Of text since the provider's count last grew: some count all along, some at the end alone."""

    @property
    def shows_work(self) -> bool:
        """Whether the provider has done something that it would bill."""
        return self.text_bytes > 0 or self.usage is not None

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Take what these chunks show."""
        for chunk in chunks:
            self.model = chunk.model or self.model
            self.text_bytes += chunk.text_bytes
            self.uncounted_bytes += chunk.text_bytes
            if chunk.usage is not None:
                if chunk.usage.output_tokens > (self.usage or Usage()).output_tokens:
                    self.uncounted_bytes = 0
                self.usage = chunk.usage


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

    def cost(self, usage: Usage) -> int | None:
        """Give the nano-dollars of a usage; None where the price is not known."""
        return None if self.rates is None else self.rates.cost(usage)


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice] = []


def said_bytes(reply: Reply) -> int:
    """Give about how many bytes a whole answer has said. Only asked where its provider gave no count."""
    if reply.usage is not None:
        return 0
    try:
        body = msgspec.json.decode(reply.body, type=_Body)
    except msgspec.MsgspecError:
        return 0
    return sum(_said(choice) for choice in body.choices)


def _said(choice: _Choice) -> int:
    message = choice.message or _Message()
    texts = (choice.text, message.content, message.reasoning_content)
    calls = sum(len(bytes(call)) for call in message.tool_calls or ())
    return calls + sum(len(text.encode()) for text in texts if text)
