"""What a call will probably use, and what it cannot exceed, before any provider is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from app.errors import BadRequest
from app.gateway.units import NOTHING, SILENT, WORDS, expected
from app.limits.ask import Amounts, Limit
from app.limits.estimate import OutputEstimates, input_estimate
from app.limits.kinds import LimitKind
from app.telemetry.record import CallRecord
from providers.types import Call, Json, JsonObject, Usage

PER_MESSAGE = 16
"""Tokens that a chat template adds to each message: role marks and separators take 3 to 10 at vendors."""
PER_CALL = 1024
"""Tokens that vendors add of their own: the system prompt behind tools takes some 300 to 700."""
CAPS = frozenset({"max_completion_tokens", "max_tokens"})
"""The fields that bound the output of a call."""
_UNBOUND_FIELDS = ("web_search_options", "prediction", "mcp_servers", "plugins", "search_parameters")
"""A search brings input of its own, as do servers and plugins; a prediction that is rejected is billed as output."""
_BOUND_PARTS = frozenset({"text", "refusal", "thinking", "redacted_thinking", "tool_use", "tool_result"})
"""Parts of messages that are text. Of any other, a few bytes may stand for very many tokens."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Tokens of one call, over all its choices."""

    input_tokens: int
    output_tokens: int
    """Expected."""
    output_cap: int | None
    """The most that the request allows, where it says so."""
    beside: Usage = NOTHING
    """What is billed beside tokens; its tokens count nothing."""


def amounts(forecast: Forecast, limits: Sequence[Limit]) -> Amounts:
    """Give what to ask of limits.

    What was learned is no reason to find a call larger than a whole limit: without a cap of its own
    it asks for all of the limit at most.
    """
    given, output = forecast.input_tokens, forecast.output_tokens
    if forecast.output_cap is None:
        for limit in limits:
            if limit.capacity < given + output and (room := _room(limit, given)) is not None:
                output = min(output, room)
    return Amounts(1, given, output)


def _room(limit: Limit, input_tokens: int) -> int | None:
    """Give the most output that fits a limit; None where that does not depend on it."""
    if limit.kind is LimitKind.OTPM:
        return limit.capacity
    return max(1, limit.capacity - input_tokens) if limit.kind is LimitKind.TPM else None


class Forecasts:
    """Learns from the calls that end what the next ones will need."""

    def __init__(self) -> None:
        self._outputs = OutputEstimates()

    def of(self, call: Call, caller: str) -> Forecast:
        """Forecast a call of a key, or of a `user:NAME`."""
        cap = output_cap(call)
        if call.operation in WORDS:
            return Forecast(input_estimate(call), self._outputs.expect(caller, call.model, cap), cap)
        beside = expected(call)
        return Forecast(input_estimate(call) + beside.input_tokens, beside.output_tokens, cap, beside)

    def learn(self, record: CallRecord) -> None:
        """Take what a call has really produced."""
        caller = record.key or (record.user and f"user:{record.user}")
        if record.usage_source == "provider" and record.outcome == "success" and caller and record.model:
            self._outputs.learn(caller, record.model, record.output_tokens or 0)


def output_cap(call: Call) -> int | None:
    """Give the most output that the request allows, over all its choices; None where it does not say."""
    if call.operation in SILENT:
        return 0
    caps = [call.body.get(name) for name in CAPS]
    given = [cap for cap in caps if isinstance(cap, int)]
    return max(given) * choices(call) if given else None


def choices(call: Call) -> int:
    """Give how many answers the call asks for: `n` for each prompt, and no fewer than `best_of`."""
    prompt = call.body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    return prompts * max(call.body.get("n") or 1, call.body.get("best_of") or 1)


def input_bound(call: Call) -> int:
    """Give a number of input tokens that no tokenizer exceeds: one a byte of all that is sent, and overheads.

    Raises `BadRequest` for a part whose tokens its bytes do not bound, such as a picture.
    """
    if (part := _unbound_part(call)) is not None:
        raise BadRequest(
            f"A strict budget cannot bound what {part} costs; use a budget in `learned` mode.",
            code="unbounded_cost",
            param="messages",
        )
    messages = call.body.get("messages")
    count = len(messages) if isinstance(messages, list) else 1
    return len(msgspec.json.encode(call.body)) + PER_MESSAGE * count + PER_CALL


def _unbound_part(call: Call) -> str | None:
    """Name what has no bound: a part that is no text, a sound that stands at the provider, a search."""
    if call.files:
        return "a file"
    if field := next((name for name in _UNBOUND_FIELDS if call.body.get(name)), None):
        return f"`{field}`"
    if any(not _is_clients(tool) for tool in _objects(call.body.get("tools"))):
        return "a tool of the provider's own"
    for message in _objects(call.body.get("messages")):
        if message.get("audio") is not None:
            return "`audio` of an earlier answer"
        for part in _parts(message.get("content")):
            if part.get("type") not in _BOUND_PARTS:
                return f"a part of type `{str(part.get('type'))[:64]}`"
    return "input that is no text" if any(_objects(call.body.get("input"))) else None


def _is_clients(tool: JsonObject) -> bool:
    """Whether the client runs a tool. Those of a provider's own bring input, and searches are billed."""
    return tool.get("type") in (None, "function", "custom") and not tool.keys().isdisjoint(
        ("function", "name", "custom")
    )


def _parts(content: Json) -> Iterator[JsonObject]:
    for part in _objects(content):
        yield part
        yield from _parts(part.get("content"))


def _objects(value: Json) -> Iterator[JsonObject]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
