"""The body of a chat request: OpenAI's fields → Cohere's.

Fields that no table names are Cohere's own or unknown: they travel untouched (`documents`,
`citation_options`, `safety_mode`, `thinking`, `priority` …). What Cohere has no place for is refused,
unless it says what holds anyway. Left out, because they steer OpenAI's prompt cache and nothing of an
answer: `prompt_cache_key`, `prompt_cache_retention`, `prompt_cache_options`. Usage comes always, so
`stream_options` is the gateway's own business.

Wire format and ranges: https://docs.cohere.com/reference/chat.
"""

from __future__ import annotations

from collections.abc import Callable

from providers import shape
from providers.asked import answer_format, lacking, named, refuse, twice, unsupported
from providers.caps import most_tokens
from providers.cohere.messages import messages
from providers.cohere.tools import tools
from providers.types import Call, Json, JsonObject, Target

MOST_STOPS = 5

_LEFT_OUT = frozenset(
    {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
)

_REFUSED = lacking(
    *("audio", "function_call", "functions", "logit_bias", "metadata", "modalities"),
    *("moderation", "n", "parallel_tool_calls", "prediction", "safety_identifier"),
    *("service_tier", "store", "top_logprobs", "user", "verbosity", "web_search_options"),
)

_SAME = frozenset({"seed"})
"""Fields that both spell alike, where a null says nothing."""


def body(call: Call, target: Target) -> JsonObject:
    """Give Cohere's request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    result: JsonObject = {
        "model": target.model,
        "messages": messages(fields.get("messages"), target),
        "stream": call.stream,
    }
    untouched = {name: value for name, value in fields.items() if name not in _KNOWN or name in _SAME}
    for part in (*(translate(fields, target) for translate in _TRANSLATIONS), untouched):
        for name, value in part.items():
            if result.setdefault(name, value) != value:
                raise twice(name)
    return result


def _most_tokens(fields: JsonObject, _target: Target) -> JsonObject:
    cap = most_tokens(fields)
    return {} if cap is None else {"max_tokens": cap}


def _within(name: str, theirs: str, low: float, high: float) -> Callable[[JsonObject, Target], JsonObject]:
    def translate(fields: JsonObject, target: Target) -> JsonObject:
        if name not in fields:
            return {}
        if not low <= shape.number(fields[name], name) <= high:
            raise unsupported(name, target, f"It takes one from {low:g} to {high:g}. ")
        return {theirs: fields[name]}

    return translate


def _top_p(fields: JsonObject, target: Target) -> JsonObject:
    # OpenAI's default, which many clients send, asks for nothing.
    return {} if fields.get("top_p") == 1 else _nucleus(fields, target)


def _logprobs(fields: JsonObject, _target: Target) -> JsonObject:
    wanted = "logprobs" in fields and shape.flag(fields["logprobs"], "logprobs")
    return {"logprobs": True} if wanted else {}


def _stop(fields: JsonObject, target: Target) -> JsonObject:
    stop = fields.get("stop", [])
    sequences = [stop] if isinstance(stop, str) else shape.listing(stop, "stop")
    sequences = [shape.text(each, f"stop[{index}]") for index, each in enumerate(sequences)]
    if len(sequences) > MOST_STOPS:
        raise unsupported("stop", target, f"It takes {MOST_STOPS} stop sequences at most. ")
    return {"stop_sequences": sequences} if sequences else {}


def _effort(fields: JsonObject, target: Target) -> JsonObject:
    if "reasoning_effort" not in fields:
        return {}
    effort = shape.text(fields["reasoning_effort"], "reasoning_effort")
    if effort not in _EFFORTS:
        instead = "It reasons or does not: send none or high, or `thinking` with a `token_budget`. "
        raise unsupported("reasoning_effort", target, instead)
    return {"thinking": {"type": _EFFORTS[effort]}}


_EFFORTS = {"none": "disabled", "high": "enabled"}
"""What Cohere's own compatibility endpoint takes (https://docs.cohere.com/docs/compatibility-api)."""


def _response_format(fields: JsonObject, target: Target) -> JsonObject:
    kind, wanted = answer_format(fields)
    if kind == "text":
        return {}
    for other in ("tools", "documents"):
        if fields.get(other):
            raise unsupported("response_format", target, f"It gives JSON only where there are no `{other}`. ")
    if kind == "json_object":
        return {"response_format": wanted}
    at = "response_format.json_schema"
    labelled = shape.mapping(wanted.get("json_schema"), at)
    schema: Json = shape.mapping(labelled.get("schema"), f"{at}.schema")
    return {"response_format": {"type": "json_object", "json_schema": schema}}


_nucleus = _within("top_p", "p", 0.01, 0.99)

_TRANSLATIONS: tuple[Callable[[JsonObject, Target], JsonObject], ...] = (
    tools,
    _most_tokens,
    _within("temperature", "temperature", 0, 1),
    _top_p,
    _within("top_k", "k", 0, 500),
    _within("frequency_penalty", "frequency_penalty", 0, 1),
    _within("presence_penalty", "presence_penalty", 0, 1),
    _logprobs,
    _stop,
    _effort,
    _response_format,
)

_TRANSLATED = frozenset(
    {
        *("frequency_penalty", "logprobs", "max_completion_tokens", "max_tokens", "messages", "model"),
        *("presence_penalty", "reasoning_effort", "response_format", "stop", "stream", "temperature"),
        *("tool_choice", "tools", "top_k", "top_p"),
    }
)

_KNOWN = _TRANSLATED | _LEFT_OUT | _SAME | _REFUSED.keys()
