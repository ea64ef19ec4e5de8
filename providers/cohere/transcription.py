"""The adapter of transcriptions: `POST /v2/audio/transcriptions` (https://docs.cohere.com/reference/create-audio-transcription).

Its functions are the contract of `providers/adapter.py`. Cohere wants to know the language, answers with
a text and nothing beside it, and takes none of what OpenAI has for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import msgspec

from providers.adapter import StreamDecoder
from providers.asked import Neutral, named, refuse
from providers.cohere.errors import parse_error, parse_limits, reported
from providers.errors import MalformedResponse, RequestRejected, UnsupportedParameter
from providers.openai import request
from providers.types import Call, Head, HttpRequest, Reply, Target

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

_REFUSED: Mapping[str, Neutral] = MappingProxyType(
    {
        "chunking_strategy": lambda value: value == "auto",
        "include": lambda _: False,
        "prompt": lambda value: value == "",
        "response_format": lambda value: value in ("json", "text"),
        "stream": lambda value: value is False,
        "timestamp_granularities": lambda _: False,
    }
)
_KNOWN = frozenset({"language", "model", "temperature", *_REFUSED})


class _Answer(msgspec.Struct):
    text: str


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call as a form. Raises `UnsupportedParameter`, also where the language is not said."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    if not fields.get("language"):
        raise UnsupportedParameter(
            f"`{target.name}` has to be told the `language` of what is said, such as `en`.", param="language"
        )
    kept = {name: value for name, value in fields.items() if name not in _REFUSED}
    return request.form(replace(call, body=kept), target, "/v2/audio/transcriptions")


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `MalformedResponse`, or the error that the body reports."""
    try:
        value = msgspec.json.decode(body)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            raise reported(value)
        text = msgspec.convert(value, _Answer).text
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer is not one of Cohere's.") from None
    if call.body.get("response_format") == "text":
        return Reply(text.encode(errors="replace"), None, media="text/plain; charset=utf-8")
    return Reply(body, None)


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise RequestRejected(
        "Transcriptions cannot be streamed here; leave `stream` out or set it to false.", param="stream"
    )
