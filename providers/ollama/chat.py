"""The chat adapter: `POST /api/chat` (https://docs.ollama.com/api/chat).

Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

import msgspec

from providers.adapter import StreamDecoder
from providers.bearer import bearer
from providers.errors import MalformedResponse
from providers.ollama import request, wire
from providers.ollama.address import root_of
from providers.ollama.errors import parse_error, parse_limits, reported
from providers.ollama.stream import ChatStream
from providers.posting import post
from providers.types import Call, Head, HttpRequest, JsonObject, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

STREAM_TYPE = "application/x-ndjson"


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    headers = {**bearer(target), **({"accept": STREAM_TYPE} if call.stream else {})}
    url = f"{root_of(target.base_url)}/api/chat"
    return post(url, request.body(call, target), headers, target, stream=call.stream)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    answer = wire.read(body)
    if answer.error:
        raise reported(msgspec.json.decode(body))
    if answer.message is None:
        raise MalformedResponse("The answer has no message.")
    usage = answer.counts()
    said = _said(answer.message, call)
    choice = {
        "index": 0,
        "message": said,
        "logprobs": wire.logprobs(answer.logprobs),
        "finish_reason": wire.finish_reason(answer.done_reason, calls="tool_calls" in said),
    }
    result: JsonObject = {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": call.created,
        "model": answer.model or target.model,
        "choices": [choice],
    }
    if usage:
        result["usage"] = wire.usage_json(usage)
    return Reply(msgspec.json.encode(result), usage, answer.model)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Start reading a 2xx stream."""
    return ChatStream(call, target)


def _said(message: wire.Message, call: Call) -> JsonObject:
    said: JsonObject = {"role": "assistant", "content": message.content or "", "refusal": None}
    if message.thinking:
        said["reasoning_content"] = message.thinking
    if message.tool_calls:
        said["tool_calls"] = wire.tool_calls(message.tool_calls, 0, call.id)
        said["content"] = said["content"] or None
    return said
