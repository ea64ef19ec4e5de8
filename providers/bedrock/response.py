"""A whole answer of Converse's → OpenAI's `chat.completion`."""

from __future__ import annotations

import msgspec

from providers.anthropic.blocks import Progress
from providers.anthropic.response import folded, steps
from providers.anthropic.tools import speaks_functions
from providers.anthropic.wire import usage_json
from providers.bedrock import blocks
from providers.bedrock.wire import Answer, extras
from providers.errors import MalformedResponse
from providers.openai import finish
from providers.types import Call, Head, Reply, Target

_answer = msgspec.json.Decoder(Answer)


def reply(call: Call, target: Target, head: Head, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the stop reason stands for."""
    try:
        return _reply(call, target, head, _answer.decode(body))
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer is not one of Converse's.") from None


def id_of(call: Call, head: Head) -> str:
    """Give an id: Bedrock's answers have none, but its heads."""
    return f"chatcmpl-{head.headers.get('x-amzn-requestid') or call.id}"


def finish_reason(said: str, progress: Progress) -> str:
    """Give OpenAI's finish reason. Raises the error that the word stands for."""
    reason = finish.reason(said, calls=bool(progress.calls)) or "stop"
    return "function_call" if progress.functions and reason == "tool_calls" else reason


def _reply(call: Call, target: Target, head: Head, answer: Answer) -> Reply:
    progress = Progress(functions=speaks_functions(call.body))
    message = folded(steps(map(blocks.whole, answer.output.message.content), progress))
    message["refusal"] = None
    if not message["content"] and progress.calls:
        message["content"] = None
    usage = answer.usage.tokens()
    reason = finish_reason(answer.stop_reason, progress)
    body = {
        "id": id_of(call, head),
        "object": "chat.completion",
        "created": call.created,
        "model": target.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage_json(usage),
        **extras(trace=answer.trace, additionalModelResponseFields=answer.additional_model_response_fields),
    }
    return Reply(msgspec.json.encode(body), usage)
