"""Whole answers of chat and completions."""

from __future__ import annotations

import msgspec

from providers.errors import MalformedResponse, UpstreamError
from providers.openai import errors, finish, message, report, usage, wire
from providers.types import Call, Json, JsonObject, Reply, Target

WHAT = "the answer"


class _Answer(msgspec.Struct):
    """As much of an exact answer as the account needs."""

    choices: list[dict[str, msgspec.Raw]]
    usage: Json = None
    model: Json = None
    error: Json = None


_answer = msgspec.json.Decoder(_Answer)


def parse(call: Call, target: Target, body: bytes, shape: wire.Shape) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`, or the error that it reports."""
    return _exact(target, body) if target.quirks.exact else _clean(call, target, body, shape)


def unlike(body: bytes) -> UpstreamError:
    """Say what is wrong with a body that does not fit: the error it reports, or that it is malformed. Total."""
    try:
        value = msgspec.json.decode(body)
    except wire.UNREADABLE:
        return MalformedResponse(f"{WHAT} is not JSON")
    if report.is_error(value):
        return errors.under_success(value)
    return MalformedResponse(f"{WHAT} is not of the form that OpenAI's API describes")


def _exact(target: Target, body: bytes) -> Reply:
    try:
        answer = _answer.decode(body)
    except wire.UNREADABLE as error:
        raise unlike(body) from error
    if answer.error or not answer.choices:
        raise unlike(body)
    return Reply(body, usage.read(answer.usage, target.quirks), wire.text_or_none(answer.model))


def _clean(call: Call, target: Target, body: bytes, shape: wire.Shape) -> Reply:
    answer = wire.decode(body, WHAT)
    if not isinstance(answer, dict) or report.is_error(answer):
        raise unlike(body)
    model = wire.text_or_none(answer.get("model"))
    choices = wire.objects(answer.get("choices"), "the list of choices")
    if not choices:
        raise MalformedResponse(f"{WHAT} has no choices")
    wire.fill_envelope(answer, call, target.model, shape, chunk=False)
    answer["choices"] = [_choice(choice, index, call, shape) for index, choice in enumerate(choices)]
    counts = usage.read(answer.get("usage"), target.quirks)
    if counts is not None:
        answer["usage"] = usage.normalised(answer["usage"], counts)
    return Reply(wire.encode_answer(answer, WHAT), counts, model)


def _choice(choice: JsonObject, position: int, call: Call, shape: wire.Shape) -> JsonObject:
    if choice.get("error"):
        raise errors.under_success(choice)
    clean = dict(choice)
    index = wire.whole_number(choice.get("index"))
    clean["index"] = position if index is None else index
    calls = False
    if shape.message is None:
        if not isinstance(choice.get("text"), str):
            raise MalformedResponse("a choice has no text")
    else:
        clean["message"] = said = _message(choice.get(shape.message), call, clean["index"])
        clean["logprobs"] = message.logprobs(choice.get("logprobs"))
        calls = "tool_calls" in said
    # Blackbox may leave the reason out: a whole answer has ended somehow.
    clean["finish_reason"] = finish.reason(choice.get("finish_reason") or "stop", calls=calls)
    return clean


def _message(value: Json, call: Call, choice: int) -> JsonObject:
    if not isinstance(value, dict):
        raise MalformedResponse("a choice has no message")
    said = message.clean(value)
    said["role"] = "assistant"
    said.setdefault("content", None)
    if "tool_calls" in said:
        calls = wire.objects(said["tool_calls"], "the list of tool calls")
        said["tool_calls"] = [
            _tool_call(item, f"call_{call.id}_{choice}_{n}") for n, item in enumerate(calls)
        ]
    return said


def _tool_call(call: JsonObject, spare_id: str) -> JsonObject:
    clean = {
        **{name: value for name, value in call.items() if name != "index"},
        "id": wire.text_or_none(call.get("id")) or spare_id,
        "type": message.call_type(call),
    }
    if clean["type"] == "function":
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise MalformedResponse("the model's tool call has no function name")
        clean["function"] = {**function, "arguments": message.arguments(function.get("arguments")) or "{}"}
    return clean
