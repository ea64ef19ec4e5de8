"""Settings of a request, each a chat's → the Responses API's: a function takes the fields and gives its part.

Wire format: https://platform.openai.com/docs/api-reference/responses/create.
"""

from __future__ import annotations

from collections.abc import Callable

from providers import shape
from providers.asked import twice
from providers.errors import RequestRejected
from providers.responses import tools
from providers.types import Json, JsonObject


def asked_format(fields: JsonObject) -> JsonObject:
    """Give `response_format`, or nothing; one with a schema has it. Raises `RequestRejected`."""
    wanted = shape.mapping(fields.get("response_format", {}), "response_format")
    if wanted and shape.text(wanted.get("type"), "response_format.type") == "json_schema":
        at = "response_format.json_schema"
        shape.mapping(shape.mapping(wanted.get("json_schema"), at).get("schema"), f"{at}.schema")
    return wanted


def output_cap(fields: JsonObject) -> int | None:
    """Give the most tokens that may be generated, under either name. Raises `RequestRejected`."""
    names = ("max_completion_tokens", "max_tokens")
    given = {name: fields[name] for name in names if fields.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise RequestRejected(f"`{name}` must be a whole number of tokens.", param=name)
    if len(set(given.values())) > 1:
        raise twice("max_tokens")
    return next(iter(given.values()), None)


def cap(fields: JsonObject) -> JsonObject:
    """Give `max_output_tokens`. Raises `RequestRejected`."""
    tokens = output_cap(fields)
    return {} if tokens is None else {"max_output_tokens": tokens}


def effort(fields: JsonObject) -> JsonObject:
    """Give `reasoning.effort`. Raises `RequestRejected`."""
    if "reasoning_effort" not in fields:
        return {}
    return {"reasoning": {"effort": shape.text(fields["reasoning_effort"], "reasoning_effort")}}


def stream(fields: JsonObject) -> JsonObject:
    """Give `stream`. Raises `RequestRejected`."""
    return {"stream": True} if shape.flag(fields.get("stream", False), "stream") else {}


def _text(fields: JsonObject) -> JsonObject:
    wanted = asked_format(fields)
    text: dict[str, Json] = {}
    if schema := wanted.get("json_schema"):
        text["format"] = {"type": "json_schema", **schema}
    elif wanted:
        text["format"] = wanted
    if "verbosity" in fields:
        text["verbosity"] = fields["verbosity"]
    return {"text": text} if text else {}


def _stream_options(fields: JsonObject) -> JsonObject:
    options = shape.mapping(fields.get("stream_options", {}), "stream_options")
    # Usage always comes, and whether the client sees it is the gateway's business.
    options = {name: value for name, value in options.items() if name != "include_usage"}
    return {"stream_options": options} if options else {}


TRANSLATIONS: tuple[Callable[[JsonObject], JsonObject], ...] = (
    cap,
    effort,
    _text,
    tools.tools,
    tools.choice,
    stream,
    _stream_options,
)
"""All of them. Each raises `RequestRejected` or `UnsupportedParameter`."""
