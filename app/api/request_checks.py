"""What a request must be before it costs anything. Pure: a parsed body in, a refusal or nothing out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from app.errors import BadRequest
from providers.types import Json, JsonObject, Operation

LONGEST_MODEL = 256
MOST_MESSAGES = 10_000
MOST_TOOLS = 1_000
MOST_DOCUMENTS = 10_000
MOST_CHOICES = 128
LARGEST_COUNT = 2**31

STEERING = frozenset({
    "api_base",
    "api_key",
    "api_type",
    "api_version",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "azure_ad_token",
    "base_url",
    "custom_llm_provider",
    "default_headers",
    "extra_body",
    "extra_headers",
    "extra_query",
    "fallbacks",
    "mock_response",
    "model_list",
    "vertex_credentials",
})  # fmt: skip
"""Fields that elsewhere choose the host, the credential or the route. Here the configuration does."""

STEERING_PREFIX = "litellm_"

_CONTAINERS = ("metadata", "extra_body")
"""Objects whose own fields other gateways have taken for steering ones."""

Check = Callable[[str, Json], None]


def check_request(operation: Operation, body: JsonObject) -> None:
    """Raise `BadRequest`, naming the field in `param`, for what no provider should be asked.

    Fields not known here pass, and an optional field may be null.
    """
    _refuse_steering(body)
    for name, check in _REQUIRED[operation].items():
        if body.get(name) is None:
            raise BadRequest(f"`{name}` is required.", code="missing_required_parameter", param=name)
        check(name, body[name])
    for name, check in _OPTIONAL[operation].items():
        value = body.get(name)
        if value is not None:
            check(name, value)


def _refuse_steering(body: JsonObject) -> None:
    # The containers first, so that the message names the very field where it can.
    for container in _CONTAINERS:
        inner = body.get(container)
        if isinstance(inner, dict):
            _refuse_fields(inner, f"{container}.")
    _refuse_fields(body, "")


def _refuse_fields(fields: JsonObject, prefix: str) -> None:
    for name in fields:
        if name in STEERING or name.startswith(STEERING_PREFIX):
            param = (prefix + name)[:LONGEST_MODEL]
            raise BadRequest(
                f"`{param}` is not a request's to choose: the gateway's configuration does.",
                code="field_not_allowed",
                param=param,
            )


def _wrong(name: str, expected: str) -> BadRequest:
    return BadRequest(f"`{name}` must be {expected}.", code="invalid_value", param=name)


def _model(name: str, value: Json) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_MODEL or not value.isprintable():
        raise _wrong(name, f"a string of 1 to {LONGEST_MODEL} characters without control characters")


def _messages(name: str, value: Json) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_MESSAGES:
        raise _wrong(name, f"a list of 1 to {MOST_MESSAGES:,} messages")
    for index, message in enumerate(value):
        if not isinstance(message, dict):
            raise _wrong(f"{name}[{index}]", "an object")
        if not isinstance(message.get("role"), str):
            raise _wrong(f"{name}[{index}].role", "a string")


def _text_or_list(name: str, value: Json) -> None:
    if not isinstance(value, (str, list)):
        raise _wrong(name, "a string or a list")


def _flag(name: str, value: Json) -> None:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")


def _not_streamed(name: str, value: Json) -> None:
    if value is not False:
        raise _wrong(name, "false or left out: this does not come as a stream")


def _count_up_to(most: int) -> Check:
    def check(name: str, value: Json) -> None:
        # A bool is an int to Python alone.
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
            raise _wrong(name, f"a whole number from 1 to {most:,}")

    return check


def _number(name: str, value: Json) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise _wrong(name, "a number")


def _tools(name: str, value: Json) -> None:
    if not isinstance(value, list) or len(value) > MOST_TOOLS:
        raise _wrong(name, f"a list of at most {MOST_TOOLS:,} tools")
    for index, tool in enumerate(value):
        if not isinstance(tool, dict):
            raise _wrong(f"{name}[{index}]", "an object")


def _stream_options(name: str, value: Json) -> None:
    if not isinstance(value, dict):
        raise _wrong(name, "an object")
    if value.get("include_usage") is not None:
        _flag(f"{name}.include_usage", value["include_usage"])


def _text(name: str, value: Json) -> None:
    if not isinstance(value, str) or not value:
        raise _wrong(name, "a text")


def _documents(name: str, value: Json) -> None:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_DOCUMENTS:
        raise _wrong(name, f"a list of 1 to {MOST_DOCUMENTS:,} documents")
    for index, document in enumerate(value):
        if not isinstance(document, str | dict):
            raise _wrong(f"{name}[{index}]", "a text or an object")


def _sound_or_events(name: str, value: Json) -> None:
    if value not in ("audio", "sse"):
        raise _wrong(name, "`audio` or `sse`")


_REQUIRED: Mapping[Operation, Mapping[str, Check]] = {
    Operation.CHAT: {"model": _model, "messages": _messages},
    Operation.COMPLETIONS: {"model": _model, "prompt": _text_or_list},
    Operation.EMBEDDINGS: {"model": _model, "input": _text_or_list},
    Operation.RERANK: {"model": _model, "query": _text, "documents": _documents},
    Operation.IMAGE_GENERATION: {"model": _model, "prompt": _text},
    Operation.IMAGE_EDIT: {"model": _model, "prompt": _text},
    Operation.VIDEO: {"model": _model, "prompt": _text},
    Operation.SPEECH: {"model": _model, "input": _text},
    Operation.TRANSCRIPTION: {"model": _model},
    Operation.TRANSLATION: {"model": _model},
    Operation.MODERATION: {"model": _model, "input": _text_or_list},
}

_ANY_OPERATION: Mapping[str, Check] = {
    "stream": _flag,
    "stream_options": _stream_options,
    "max_tokens": _count_up_to(LARGEST_COUNT),
    "max_completion_tokens": _count_up_to(LARGEST_COUNT),
    "n": _count_up_to(MOST_CHOICES),
    "best_of": _count_up_to(MOST_CHOICES),
    "temperature": _number,
    "top_p": _number,
    "frequency_penalty": _number,
    "presence_penalty": _number,
    "tools": _tools,
    "functions": _tools,
}

_IMAGES: Mapping[str, Check] = {"stream": _flag, "n": _count_up_to(MOST_CHOICES)}

_OPTIONAL: Mapping[Operation, Mapping[str, Check]] = {
    Operation.CHAT: _ANY_OPERATION,
    Operation.COMPLETIONS: _ANY_OPERATION,
    Operation.EMBEDDINGS: {**_ANY_OPERATION, "stream": _not_streamed},
    Operation.RERANK: {"stream": _not_streamed, "top_n": _count_up_to(LARGEST_COUNT)},
    Operation.IMAGE_GENERATION: _IMAGES,
    Operation.IMAGE_EDIT: _IMAGES,
    Operation.VIDEO: {"stream": _not_streamed},
    Operation.SPEECH: {"stream_format": _sound_or_events, "speed": _number},
    Operation.TRANSCRIPTION: {"stream": _flag, "temperature": _number},
    Operation.TRANSLATION: {"stream": _not_streamed, "temperature": _number},
    Operation.MODERATION: {"stream": _not_streamed},
}
