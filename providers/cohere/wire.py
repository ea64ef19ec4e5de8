"""What Cohere answers, as far as it is acted on, and its tokens in OpenAI's terms.

Wire formats: https://docs.cohere.com/reference/chat and https://docs.cohere.com/reference/chat-stream.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from providers.errors import MalformedResponse
from providers.types import Json, JsonObject, Usage

Count = Annotated[float, msgspec.Meta(ge=0, le=2**53)]
"""Cohere's types say float, and its numbers are whole."""


class Tokens(msgspec.Struct, frozen=True):
    """Counts of tokens, of one kind or the other."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class WireUsage(msgspec.Struct, frozen=True):
    """What was read and written, and what the bill counts of it: far less, where documents ground an answer."""

    tokens: Tokens | None = None
    billed_units: Tokens | None = None
    cached_tokens: Count | None = None

    def counts(self) -> Usage | None:
        """Give the counts in OpenAI's sense; None where there are none."""
        seen = self.tokens or self.billed_units
        if seen is None:
            return None
        read, written = int(seen.input_tokens or 0), int(seen.output_tokens or 0)
        billed = self.billed_units
        return Usage(
            input_tokens=read,
            output_tokens=written,
            cached_tokens=min(int(self.cached_tokens or 0), read),
            reasoning_tokens=min(int(seen.reasoning_tokens or 0), written),
            billed=(int(billed.input_tokens or 0), int(billed.output_tokens or 0)) if billed else None,
        )

    def shown(self) -> JsonObject | None:
        """Give OpenAI's `usage`, with what the bill counts beside it."""
        counts = self.counts()
        if counts is None:
            return None
        shown: JsonObject = {
            "prompt_tokens": counts.input_tokens,
            "completion_tokens": counts.output_tokens,
            "total_tokens": counts.input_tokens + counts.output_tokens,
            "prompt_tokens_details": {"cached_tokens": counts.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
        }
        if counts.billed:
            shown["billed_units"] = dict(zip(("input_tokens", "output_tokens"), counts.billed, strict=True))
        return shown


class Part(msgspec.Struct, frozen=True):
    """A piece of content."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class Function(msgspec.Struct, frozen=True):
    """What is called, and with what."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool, or a piece of one."""

    id: str | None = None
    function: Function | None = None


class Message(msgspec.Struct, frozen=True):
    """The message of a whole answer."""

    content: list[Part] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[ToolCall] | None = None
    citations: list[JsonObject] | None = None


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    message: Message
    finish_reason: str
    id: str | None = None
    usage: WireUsage = WireUsage()
    logprobs: list[Json] | None = None


class MessageDelta(msgspec.Struct, frozen=True):
    """What an event adds. Its first event has empty lists where the others have an object."""

    content: Part | list[Json] | None = None
    tool_plan: str | None = None
    tool_calls: ToolCall | list[Json] | None = None
    citations: JsonObject | list[Json] | None = None


class Delta(msgspec.Struct, frozen=True):
    """What an event says."""

    message: MessageDelta = MessageDelta()
    finish_reason: str | None = None
    usage: WireUsage | None = None
    error: Json = None


class Event(msgspec.Struct, frozen=True):
    """An event of a stream."""

    type: str | None = None
    id: str | None = None
    index: int = 0
    delta: Delta = Delta()
    logprobs: Json = None
    message: Json = None
    """Not of an event, but of an error in its place."""


def logprobs(items: list[Json] | None) -> JsonObject | None:
    """Give OpenAI's log probabilities. A piece of several tokens stays one, with their joint probability."""
    if items is None:
        return None
    try:
        found = msgspec.convert(items, list[_Likely])
    except msgspec.ValidationError:
        raise MalformedResponse("The log probabilities are not what Cohere describes.") from None
    content = [
        {
            "token": each.text or "",
            "logprob": sum(each.logprobs or ()),
            "bytes": list((each.text or "").encode()),
            "top_logprobs": [],
        }
        for each in found
    ]
    return {"content": content, "refusal": None}


class _Likely(msgspec.Struct):
    text: str | None = None
    logprobs: list[float] | None = None
