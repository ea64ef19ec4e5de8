"""The request body: OpenAI's fields → Anthropic's, one table.

* Fields that neither table names are Anthropic's own or unknown: they travel untouched
  (`thinking`, `top_k`, `cache_control`, `mcp_servers` …). Given twice, natively and as OpenAI's
  field, and not the same, is refused.
* What Anthropic has no place for is refused, unless it says what holds anyway (`n: 1`).
* Left out, because they steer only OpenAI's prompt cache or the cost of an image and no answer's
  shape: `prompt_cache_key`, `prompt_cache_retention`, `prompt_cache_options`, an image's `detail`.
  `stream_options` is the gateway's own business, and the `name` of a JSON schema a mere label.

Wire formats: https://docs.anthropic.com/en/api/messages and
https://platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers.anthropic import shape, tools
from providers.anthropic.content import blocks
from providers.anthropic.messages import conversation
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Call, Json, JsonObject, Target

DEFAULT_MAX_TOKENS = 4096
"""Anthropic wants a number. Every model of the last years can write this much."""

_LEFT_OUT = frozenset(
    {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
)

_REFUSED: Mapping[str, Callable[[Json], bool]] = {
    # Field → does this value ask for nothing?
    "audio": lambda _: False,
    "frequency_penalty": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "logprobs": lambda value: value is False,
    "modalities": lambda value: value == ["text"],
    "moderation": lambda _: False,
    "n": lambda value: value == 1,
    "prediction": lambda _: False,
    "presence_penalty": lambda value: value == 0,
    "seed": lambda _: False,
    "store": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "verbosity": lambda value: value == "medium",
    "web_search_options": lambda _: False,
}

_INSTEAD = {
    "web_search_options": " Or put Anthropic's own web search tool into `tools`.",
    "metadata": " Of metadata it takes `user_id` alone.",
}

_JSON_ONLY = "Answer with one valid JSON object and nothing else: no words around it and no code fence."


def body(call: Call, target: Target) -> JsonObject:
    """Give Anthropic's request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = _fields(call.body, target)
    _refuse(fields)
    keep_names = target.quirks.message_names and "name" not in target.drop
    talk = conversation(fields.get("messages"), keep_names=keep_names)
    result: JsonObject = {"model": target.model, "max_tokens": _max_tokens(fields, target)}
    if system := [*_native_system(fields), *talk.system, *_json_instruction(fields)]:
        result["system"] = system
    result["messages"] = talk.messages
    for translate in _TRANSLATIONS:
        _merge(result, translate(fields))
    _merge(result, {name: value for name, value in fields.items() if name not in _KNOWN})
    if "tools" not in result and "tool_choice" not in result:
        result |= tools.redeclared(talk.messages)
    return result


def _fields(body: Mapping[str, Json], target: Target) -> JsonObject:
    fields: JsonObject = {}
    for name, value in body.items():
        theirs = target.rename.get(name, name)
        if name in target.drop or (value is None and theirs in _KNOWN):
            continue
        if fields.get(theirs, value) != value:
            raise _twice(theirs)
        fields[theirs] = value
    return fields


def _refuse(fields: JsonObject) -> None:
    for name, is_neutral in _REFUSED.items():
        if name in fields and not is_neutral(fields[name]):
            raise _unsupported(name)


def _unsupported(name: str) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"Anthropic cannot take `{name}`. To send requests without it, put `drop: [{name}]` on the provider."
        + _INSTEAD.get(name, ""),
        param=name,
    )


def _twice(name: str) -> RequestRejected:
    return RequestRejected(f"`{name}` is given twice, with different values. Give it once.", param=name)


def _merge(result: JsonObject, part: JsonObject) -> None:
    """Add fields; objects are added to objects. Raises where two values contradict."""
    for name, value in part.items():
        mine = result.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            if any(mine.get(key, value[key]) != value[key] for key in value):
                raise _twice(name)
            result[name] = {**mine, **value}
        elif name in result and mine != value:
            raise _twice(name)
        else:
            result[name] = value


def _max_tokens(fields: JsonObject, target: Target) -> int:
    given = {name: fields[name] for name in ("max_completion_tokens", "max_tokens") if name in fields}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise RequestRejected(f"`{name}` must be a whole number of tokens.", param=name)
    if len(set(given.values())) > 1:
        raise _twice("max_tokens")
    return next(iter(given.values()), target.max_tokens or DEFAULT_MAX_TOKENS)


def _native_system(fields: JsonObject) -> list[JsonObject]:
    return blocks(fields.get("system"), "system")


def _json_instruction(fields: JsonObject) -> list[JsonObject]:
    # Anthropic has no switch for "some JSON object", only for a schema. OpenAI wants the prompt to
    # ask for JSON as well, so the instruction repeats what the client has said or meant to say.
    if _format(fields).get("type") == "json_object":
        return [{"type": "text", "text": _JSON_ONLY}]
    return []


def _format(fields: JsonObject) -> JsonObject:
    return shape.mapping(fields.get("response_format", {}), "response_format")


def _response_format(fields: JsonObject) -> JsonObject:
    wanted = _format(fields)
    kind = shape.text(wanted.get("type", "text"), "response_format.type")
    if kind in {"text", "json_object"}:
        return {}
    if kind != "json_schema":
        raise RequestRejected(
            "`response_format.type` must be text, json_object or json_schema.", param="response_format.type"
        )
    at = "response_format.json_schema"
    named = shape.mapping(wanted.get("json_schema"), at)
    schema = shape.mapping(named.get("schema"), f"{at}.schema")
    if named.get("description") is not None:
        schema = {"description": named["description"], **schema}
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _temperature(fields: JsonObject) -> JsonObject:
    if "temperature" not in fields:
        return {}
    if shape.number(fields["temperature"], "temperature") > 1:
        raise UnsupportedParameter(
            "Anthropic takes a `temperature` from 0 to 1. Lower it, or put `drop: [temperature]` on the provider.",
            param="temperature",
        )
    return {"temperature": fields["temperature"]}


def _stop(fields: JsonObject) -> JsonObject:
    stop = fields.get("stop", [])
    sequences = [stop] if isinstance(stop, str) else shape.listing(stop, "stop")
    # Anthropic refuses sequences of white space alone.
    sequences = [s for i, s in enumerate(sequences) if shape.text(s, f"stop[{i}]").strip()]
    return {"stop_sequences": sequences} if sequences else {}


def _effort(fields: JsonObject) -> JsonObject:
    if "reasoning_effort" not in fields:
        return {}
    effort = shape.text(fields["reasoning_effort"], "reasoning_effort")
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if effort not in _EFFORTS:
        raise RequestRejected(
            f"`reasoning_effort` must be one of none, {', '.join(_EFFORTS)}.", param="reasoning_effort"
        )
    thinking = {} if "thinking" in fields else {"thinking": {"type": "adaptive"}}
    return {"output_config": {"effort": _EFFORTS[effort]}, **thinking}


_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


def _user(fields: JsonObject) -> JsonObject:
    metadata = shape.mapping(fields.get("metadata", {}), "metadata")
    if metadata and "user_id" not in metadata:
        raise _unsupported("metadata")
    # `safety_identifier` replaces the deprecated `user`.
    name = "safety_identifier" if "safety_identifier" in fields else "user"
    part = {"metadata": {"user_id": shape.text(fields[name], name)}} if name in fields else {}
    _merge(part, {"metadata": metadata} if metadata else {})
    return part


def _service_tier(fields: JsonObject) -> JsonObject:
    if "service_tier" not in fields:
        return {}
    tier = shape.text(fields["service_tier"], "service_tier")
    if tier not in _TIERS:
        raise UnsupportedParameter(
            f"Anthropic takes a `service_tier` of {', '.join(_TIERS)}. "
            "To send requests without it, put `drop: [service_tier]` on the provider.",
            param="service_tier",
        )
    return {"service_tier": _TIERS[tier]}


_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def _stream(fields: JsonObject) -> JsonObject:
    return {"stream": True} if shape.flag(fields.get("stream", False), "stream") else {}


_TRANSLATIONS: tuple[Callable[[JsonObject], JsonObject], ...] = (
    tools.tools,
    _response_format,
    _temperature,
    _stop,
    _effort,
    _user,
    _service_tier,
    _stream,
)

_TRANSLATED = frozenset(
    {
        *(
            "function_call",
            "functions",
            "max_completion_tokens",
            "max_tokens",
            "messages",
            "metadata",
            "model",
        ),
        *("parallel_tool_calls", "reasoning_effort", "response_format", "safety_identifier", "service_tier"),
        *("stop", "stream", "system", "temperature", "tool_choice", "tools", "user"),
    }
)

_KNOWN = _TRANSLATED | _LEFT_OUT | _REFUSED.keys()
