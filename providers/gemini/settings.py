"""Settings of a request, OpenAI's → Gemini's.

Wire format: https://ai.google.dev/api/generate-content#generationconfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from providers import shape
from providers.asked import answer_format, merge, twice, unsupported
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import JsonObject, Target

_SAME = {
    # Numbers that mean the same under another name.
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}


def generation(fields: JsonObject, target: Target) -> JsonObject:
    """Give `generationConfig`, where there is one. Raises `RequestRejected`, `UnsupportedParameter`."""
    config: JsonObject = {
        theirs: shape.number(fields[ours], ours) for ours, theirs in _SAME.items() if ours in fields
    }
    for part in (
        _max_tokens(fields),
        _stop(fields),
        _logprobs(fields),
        _format(fields),
        _modalities(fields, target),
        _thinking(fields, target),
    ):
        merge(config, part)
    return {"generationConfig": config} if config else {}


def service_tier(fields: JsonObject, target: Target) -> JsonObject:
    """Give `serviceTier`, where one is asked for. Raises `UnsupportedParameter`."""
    tier = shape.text(fields.get("service_tier", "auto"), "service_tier")
    if tier == "auto":
        return {}
    if tier not in _TIERS:
        raise unsupported("service_tier", target, f"It takes {', '.join(['auto', *_TIERS])}. ")
    return {"serviceTier": _TIERS[tier]}


_TIERS = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}


def _max_tokens(fields: JsonObject) -> JsonObject:
    given = {name: fields[name] for name in ("max_completion_tokens", "max_tokens") if name in fields}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise RequestRejected(f"`{name}` must be a whole number of tokens.", param=name)
    if len(set(given.values())) > 1:
        raise twice("max_tokens")
    # Both count thoughts too, as `max_completion_tokens` does.
    return {"maxOutputTokens": next(iter(given.values()))} if given else {}


def _stop(fields: JsonObject) -> JsonObject:
    stop = fields.get("stop", [])
    sequences = [stop] if isinstance(stop, str) else shape.listing(stop, "stop")
    sequences = [shape.text(sequence, f"stop[{i}]") for i, sequence in enumerate(sequences)]
    return {"stopSequences": sequences} if sequences else {}


def _logprobs(fields: JsonObject) -> JsonObject:
    alternatives = shape.number(fields.get("top_logprobs", 0), "top_logprobs")
    if not shape.flag(fields.get("logprobs", False), "logprobs"):
        if alternatives:
            raise RequestRejected("`top_logprobs` needs `logprobs: true`.", param="top_logprobs")
        return {}
    return {"responseLogprobs": True, **({"logprobs": alternatives} if alternatives else {})}


def _format(fields: JsonObject) -> JsonObject:
    kind, wanted = answer_format(fields)
    if kind == "text":
        return {}
    schema = _schema(wanted) if kind == "json_schema" else {}
    return {"responseMimeType": "application/json", **schema}


def _schema(wanted: JsonObject) -> JsonObject:
    at = "response_format.json_schema"
    named = shape.mapping(wanted.get("json_schema"), at)
    schema = shape.mapping(named.get("schema"), f"{at}.schema")
    if named.get("description") is not None:
        schema = {"description": named["description"], **schema}
    return {"responseJsonSchema": schema}


def _modalities(fields: JsonObject, target: Target) -> JsonObject:
    asked = shape.listing(fields.get("modalities", ["text"]), "modalities")
    if asked == ["text"]:
        return {}
    for kind in asked:
        if kind not in ("text", "image"):
            raise unsupported("modalities", target, "It answers with text and images. ")
    return {"responseModalities": [kind.upper() for kind in asked]}


def _thinking(fields: JsonObject, target: Target) -> JsonObject:
    if "reasoning_effort" not in fields:
        return {}
    effort = shape.text(fields["reasoning_effort"], "reasoning_effort")
    _, unit, amounts = next(entry for entry in _EFFORTS if fnmatchcase(target.model, entry[0]))
    if effort not in amounts:
        raise UnsupportedParameter(
            f"`{target.name}` takes a `reasoning_effort` of {', '.join(amounts)}. "
            "To send requests without it, put `drop: [reasoning_effort]` on the provider.",
            param="reasoning_effort",
        )
    shown = {} if effort == "none" else {"includeThoughts": True}
    return {"thinkingConfig": {unit: amounts[effort], **shown}}


_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_LEVELS = {
    "none": "MINIMAL",  # the least there is: these models cannot but think
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "XHIGH",
}

_EFFORTS: tuple[tuple[str, str, Mapping[str, int | str]], ...] = (
    # Model → its unit of thinking, and what OpenAI's words are in it, as Google's own OpenAI-compatible
    # endpoint has them (https://ai.google.dev/gemini-api/docs/openai).
    ("*gemini-2.5*", "thinkingBudget", _BUDGETS),
    ("*", "thinkingLevel", _LEVELS),
)
