"""A whole answer → OpenAI's `chat.completion`, and how either form ends.

`reasoning_content` is the name most clients know for what a model thinks, and for the plan that it
makes before it calls tools; `thinking_blocks`, `tool_plan` and `citations` are the same as Cohere
wants it back. `citations` have no place in OpenAI's `annotations`, which are about web pages.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from providers.cohere import wire
from providers.cohere.errors import reported
from providers.cohere.names import ours
from providers.errors import MalformedResponse, ServerFault, TimeoutReported, UpstreamError
from providers.types import Call, JsonObject, Reply, Target

_FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_FAILURES: dict[str, type[UpstreamError]] = {"ERROR": ServerFault, "TIMEOUT": TimeoutReported}


def finish_reason(word: str, *, calls: bool) -> str:
    """Give OpenAI's `finish_reason`; one that is not known is a stop. Raises the error that the word stands for."""
    if failure := _FAILURES.get(word):
        raise failure(f"The provider gave up the answer: {word}.")
    reason = _FINISH.get(word, "stop")
    if reason == "length":
        return reason
    return "tool_calls" if calls else "stop"


def reply(call: Call, target: Target, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    answer = _answer(body)
    said = _message(call, answer.message)
    choice = {
        "index": 0,
        "message": said,
        "logprobs": wire.logprobs(answer.logprobs),
        "finish_reason": finish_reason(answer.finish_reason, calls="tool_calls" in said),
    }
    result: JsonObject = {
        "id": answer.id or f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": call.created,
        "model": target.model,
        "choices": [choice],
    }
    if shown := answer.usage.shown():
        result["usage"] = shown
    return Reply(msgspec.json.encode(result), answer.usage.counts())


def _answer(body: bytes) -> wire.Answer:
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            raise reported(value)
        return msgspec.convert(value, wire.Answer)
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer is not one of Cohere's.") from None


def _message(call: Call, message: wire.Message) -> JsonObject:
    parts = message.content or []
    if isinstance(parts, str):
        parts = [wire.Part("text", parts)]
    thoughts = [part.thinking for part in parts if part.thinking]
    said: JsonObject = {
        "role": "assistant",
        "content": "".join(part.text or "" for part in parts),
        "refusal": None,
    }
    if reasoning := "".join([message.tool_plan or "", *thoughts]):
        said["reasoning_content"] = reasoning
    if thoughts:
        said["thinking_blocks"] = [{"type": "thinking", "thinking": thought} for thought in thoughts]
    if message.tool_plan:
        said["tool_plan"] = message.tool_plan
    if message.citations:
        said["citations"] = message.citations
    if message.tool_calls:
        names = ours(call.body)
        said["tool_calls"] = [
            _call(call, each, index, names) for index, each in enumerate(message.tool_calls)
        ]
        said["content"] = said["content"] or None
    return said


def _call(call: Call, made: wire.ToolCall, index: int, names: Mapping[str, str]) -> JsonObject:
    if made.function is None or made.function.name is None:
        raise MalformedResponse("A tool call has no name.")
    name = made.function.name
    return {
        "id": made.id or f"call_{call.id}_{index}",
        "type": "function",
        "function": {"name": names.get(name, name), "arguments": made.function.arguments or "{}"},
    }
