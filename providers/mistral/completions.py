"""Completions of code: `POST /fim/completions`, which is asked with a `prompt` and a `suffix` and answers as a chat.

Wire format: https://docs.mistral.ai/api/#tag/fim. Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

from dataclasses import replace

from providers.adapter import StreamDecoder
from providers.asked import leave_out
from providers.errors import UnsupportedParameter
from providers.openai import message, request, response, wire
from providers.openai.errors import parse_error
from providers.openai.lanes import CleanLane
from providers.openai.limits import parse_limits
from providers.openai.stream import Decoder
from providers.openai.wire import COMPLETIONS
from providers.types import Call, Chunk, Head, HttpRequest, Json, JsonObject, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

_LACKS = frozenset({"best_of", "echo", "frequency_penalty", "logprobs", "n", "presence_penalty"})
"""Its schema is closed: each of them is a 422."""


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter`, `RequestRejected`."""
    body = {name: value for name, value in call.body.items() if name not in target.drop}
    leave_out(body, _LACKS, target)
    if not isinstance(body.get("prompt"), str):
        raise UnsupportedParameter(f"`{target.name}` takes one text as `prompt`.", param="prompt")
    return request.build(replace(call, body=body), target, "/fim/completions")


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a complete 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    answer = _as_text(wire.decode(body, response.WHAT), "message")
    return response.parse(call, target, wire.encode_answer(answer, response.WHAT), COMPLETIONS)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return Decoder(_Lane(call, target, COMPLETIONS))


class _Lane(CleanLane):
    """Reads the events of one stream: those of a chat, as texts."""

    def take(self, event: Json, data: bytes) -> Chunk | None:
        """Read one event. Raises the `UpstreamError` that it reports or is."""
        return super().take(_as_text(event, "delta"), data)


def _as_text(answer: Json, holder: str) -> Json:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list):
        return answer
    return {**answer, "choices": [_choice(each, holder) for each in choices]}


def _choice(choice: Json, holder: str) -> Json:
    said = choice.get(holder) if isinstance(choice, dict) else None
    if not isinstance(said, dict):
        return choice
    rest: JsonObject = {name: value for name, value in choice.items() if name != holder}
    return {**rest, "text": message.clean(said).get("content") or "", "logprobs": None}
