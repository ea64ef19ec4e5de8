"""A whole answer → OpenAI's `chat.completion`.

Wire format: https://platform.openai.com/docs/api-reference/chat/object. Beyond it, as most clients know
them: `reasoning_content`, `images` with data URLs, and `extra_content` with what Gemini wants back.
"""

from __future__ import annotations

import msgspec

from providers.echoed import OUTPUT_ITEMS
from providers.errors import MalformedResponse
from providers.gemini import wire
from providers.gemini.choice import Choice
from providers.gemini.errors import reported, under_success
from providers.types import Call, JsonObject, Reply, Target

_LISTS = ("tool_calls", "images", "annotations", OUTPUT_ITEMS)


def reply(call: Call, target: Target, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        answer = wire.ANSWER.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None
    if answer.error is not None:
        raise reported(answer.error)
    usage = answer.usage_metadata.tokens() if answer.usage_metadata else None
    rendered: JsonObject = {
        "id": answer.response_id or f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": call.created,
        "model": answer.model_version or target.model,
        "choices": _choices(call, answer),
    }
    if usage is not None:
        rendered["usage"] = wire.usage_json(usage)
    try:
        return Reply(msgspec.json.encode(rendered), usage, answer.model_version)
    except RecursionError:
        raise MalformedResponse("The answer is nested too deeply.") from None


def _choices(call: Call, answer: wire.Answer) -> list[JsonObject]:
    candidates = sorted(answer.candidates or (), key=lambda candidate: candidate.index)
    if candidates:
        return [_choice(Choice(each.index, call), each) for each in candidates]
    if answer.prompt_feedback is None or answer.prompt_feedback.block_reason is None:
        raise MalformedResponse("The answer holds no candidate.")
    blocked = Choice(0, call)
    blocked.block(answer.prompt_feedback)
    return [_choice(blocked, wire.Candidate())]


def _choice(choice: Choice, candidate: wire.Candidate) -> JsonObject:
    said = choice.take(candidate)
    last, reason = choice.end()
    message: JsonObject = {"role": "assistant", "content": "", "refusal": None, **said.delta, **last}
    if not message["content"] and (
        message["refusal"] or "tool_calls" in message or "function_call" in message
    ):
        message["content"] = None
    for name in _LISTS:
        if name in message:
            message[name] = [{k: v for k, v in item.items() if k != "index"} for item in message[name]]
    return {"index": choice.index, "message": message, "logprobs": said.logprobs, "finish_reason": reason}
