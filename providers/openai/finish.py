"""Why an answer ended: the words of many servers → OpenAI's five."""

from __future__ import annotations

from providers.errors import Overloaded, ServerFault, UpstreamError
from providers.types import Json

_MEANING = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "complete": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
    "language": "content_filter",
    "guardrail_intervened": "content_filter",
}

_FAILURES: dict[str, type[UpstreamError]] = {
    "insufficient_system_resource": Overloaded,
    "error": ServerFault,
    "abort": ServerFault,
    "timeout": ServerFault,
    "other": ServerFault,
    "malformed_function_call": ServerFault,
    "malformed_response": ServerFault,
    "missing_thought_signature": ServerFault,
    "too_many_tool_calls": ServerFault,
    "unexpected_tool_call": ServerFault,
    "malformed_tool_use": ServerFault,
    "malformed_model_output": ServerFault,
}


def reason(value: Json, *, calls: bool) -> str | None:
    """Give OpenAI's finish reason, or None where the answer has not ended.

    `calls`: whether the choice calls tools, which decides between `stop` and `tool_calls` against
    what the provider says. Raises the error that the word stands for.
    """
    if not value:
        return None
    word = value.lower() if isinstance(value, str) else ""
    if failure := _FAILURES.get(word):
        raise failure(f"the provider gave up the answer: {word}")
    meaning = _MEANING.get(word, "stop")
    if meaning == "stop" and calls:
        return "tool_calls"
    if meaning == "tool_calls" and not calls:
        return "stop"
    return meaning
