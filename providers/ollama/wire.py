"""What Ollama answers, as far as it is acted on, and how it ends, in OpenAI's terms.

Wire format: https://docs.ollama.com/api/chat. A line of a stream has the form of a whole answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from providers.errors import MalformedResponse
from providers.types import Json, JsonObject, Usage

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Function(msgspec.Struct, frozen=True):
    """What is called, and with what."""

    name: str
    arguments: JsonObject | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool. Older servers give no id."""

    function: Function
    id: str | None = None


class Message(msgspec.Struct, frozen=True):
    """What the model says."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None


class Likely(msgspec.Struct, frozen=True):
    """A token's log probability."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[JsonObject] | None = None


class Answer(msgspec.Struct, frozen=True):
    """A whole answer, or a line of a stream."""

    message: Message | None = None
    model: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Count | None = None
    eval_count: Count | None = None
    logprobs: list[Likely] | None = None
    error: Json = None

    def counts(self) -> Usage | None:
        """Give the tokens; None where it has counted none. A prompt that was cached whole is not counted."""
        if self.eval_count is None and self.prompt_eval_count is None:
            return None
        return Usage(input_tokens=self.prompt_eval_count or 0, output_tokens=self.eval_count or 0)


def usage_json(usage: Usage) -> JsonObject:
    """Render tokens as OpenAI's `usage`."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def finish_reason(word: str | None, *, calls: bool) -> str:
    """Give OpenAI's `finish_reason`: Ollama says `stop` for calls too, `load` and `unload` where nothing was asked."""
    if word == "length":
        return word
    return "tool_calls" if calls else "stop"


def tool_calls(calls: Sequence[ToolCall], first: int, spare_id: str) -> list[JsonObject]:
    """Give OpenAI's calls, without `index`; the first of them is the answer's number `first`."""
    return [
        {
            "id": call.id or f"call_{spare_id}_{number}",
            "type": "function",
            "function": {
                "name": call.function.name,
                "arguments": msgspec.json.encode(call.function.arguments or {}).decode(),
            },
        }
        for number, call in enumerate(calls, first)
    ]


def logprobs(found: Sequence[Likely] | None) -> JsonObject | None:
    """Give OpenAI's log probabilities."""
    if not found:
        return None
    content = [
        {
            "token": each.token,
            "logprob": each.logprob,
            "bytes": each.bytes,
            "top_logprobs": each.top_logprobs or [],
        }
        for each in found
    ]
    return {"content": content, "refusal": None}


_answer = msgspec.json.Decoder(Answer)


def read(data: bytes) -> Answer:
    """Read an answer, or a line of a stream. Raises `MalformedResponse`."""
    try:
        return _answer.decode(data)
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer is not one of Ollama's.") from None
