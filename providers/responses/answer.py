"""A whole answer → OpenAI's `chat.completion` (https://platform.openai.com/docs/api-reference/chat/object)."""

from __future__ import annotations

from collections.abc import Iterable

from providers.openai import wire
from providers.responses.outputs import Step
from providers.responses.reading import Reading, failure
from providers.types import JsonObject, Reply

WHAT = "the answer"


def reply(reading: Reading, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    response = wire.decode_object(body, WHAT)
    if not isinstance(response.get("output"), list):
        raise failure({"error": response.get("error")})
    message, logprobs = _folded(reading.rest(response))
    ending = reading.end(response)
    answer = {
        **reading.envelope("chat.completion"),
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
                "finish_reason": ending.reason,
            }
        ],
        **({} if ending.usage is None else {"usage": ending.usage}),
        **reading.extras(),
    }
    return Reply(wire.encode_answer(answer, WHAT), ending.tokens, reading.model)


def _folded(steps: Iterable[Step]) -> tuple[JsonObject, list[JsonObject]]:
    """Join the deltas into a message, and its log probabilities."""
    message: JsonObject = {"role": "assistant", "content": "", "refusal": None}
    logprobs: list[JsonObject] = []
    for delta, _, told in steps:
        logprobs += told or ()
        for name, value in delta.items():
            if isinstance(value, list):
                _join(message.setdefault(name, []), value)
            else:
                message[name] = (message.get(name) or "") + value
    if not message["content"] and ("tool_calls" in message or message["refusal"]):
        message["content"] = None
    return message, logprobs


def _join(entries: list[JsonObject], pieces: Iterable[JsonObject]) -> None:
    for piece in pieces:
        rest = {name: value for name, value in piece.items() if name != "index"}
        if piece["index"] == len(entries):
            entries.append(rest)
            continue
        for kind, more in rest.items():
            for name, words in more.items():
                entries[piece["index"]][kind][name] += words
