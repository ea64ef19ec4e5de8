"""A whole answer → OpenAI's `chat.completion`, and how either form ends.

Wire format: https://platform.openai.com/docs/api-reference/chat/object. `reasoning_content` is the
name most clients know; `thinking_blocks` hold the same as Anthropic wants it back, signatures
included.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from providers.anthropic.blocks import Progress, Step, block
from providers.anthropic.errors import reported
from providers.anthropic.tools import speaks_functions
from providers.anthropic.wire import Ending, Message, usage_json
from providers.errors import MalformedResponse
from providers.types import Call, JsonObject, Reply

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


def reply(call: Call, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        return _reply(call, _message(body))
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer is not a message of Anthropic's.") from None


def finish_reason(ending: Ending, progress: Progress) -> str:
    """Give OpenAI's `finish_reason`; one it does not know is a stop."""
    reason = _FINISH.get(ending.stop_reason or "", "stop")
    if reason in {"stop", "tool_calls"}:
        called = "function_call" if progress.functions else "tool_calls"
        return called if progress.calls else "stop"
    return reason


def refusal(ending: Ending) -> str | None:
    """Give OpenAI's `refusal`: the reason in words, where the model refused."""
    details = ending.stop_details
    if details is None or details.type != "refusal":
        return None
    return details.explanation or f"The request was refused (category: {details.category or 'unnamed'})."


def _message(body: bytes) -> Message:
    value = msgspec.json.decode(body)
    if isinstance(value, dict) and value.get("type") == "error":
        raise reported(value)
    return msgspec.convert(value, Message)


def _reply(call: Call, message: Message) -> Reply:
    progress = Progress(functions=speaks_functions(call.body))
    answer = folded(steps(message.content, progress))
    answer["refusal"] = refusal(message.ending)
    if not answer["content"] and (progress.calls or answer["refusal"]):
        answer["content"] = None
    usage = message.usage.tokens()
    choice = {"index": 0, "message": answer, "logprobs": None}
    body = {
        "id": message.id,
        "object": "chat.completion",
        "created": call.created,
        "model": message.model,
        "choices": [{**choice, "finish_reason": finish_reason(message.ending, progress)}],
        "usage": usage_json(usage),
    }
    return Reply(msgspec.json.encode(body), usage, message.model)


def steps(content: Iterable[JsonObject], progress: Progress) -> Iterable[Step]:
    """Read whole blocks. Raises `MalformedResponse`."""
    for start in content:
        reader = block(start, progress)
        yield from (step for step in (reader.open(), reader.close()) if step)


def folded(steps: Iterable[Step]) -> JsonObject:
    """Give the message that these deltas make."""
    answer: JsonObject = {"role": "assistant", "content": ""}
    for delta, _ in steps:
        for key, value in delta.items():
            if isinstance(value, list):
                _join(answer.setdefault(key, []), value)
            elif isinstance(value, dict):
                _lengthen(answer.setdefault(key, {**value, "arguments": ""}), value)
            else:
                answer[key] = answer.get(key, "") + value
    return answer


def _join(items: list[JsonObject], pieces: Iterable[JsonObject]) -> None:
    for piece in pieces:
        if piece["index"] == len(items):
            items.append({key: value for key, value in piece.items() if key != "index"})
        else:
            _lengthen(items[piece["index"]]["function"], piece["function"])


def _lengthen(function: JsonObject, piece: JsonObject) -> None:
    function["arguments"] += piece["arguments"]
