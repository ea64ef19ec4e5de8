"""Settings of a request, each OpenAI's → Converse's: a function takes the fields and gives its part.

Wire format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from providers import shape
from providers.anthropic.thinking import effort_of
from providers.asked import answer_format
from providers.bedrock.families import Family
from providers.caps import most_tokens
from providers.errors import UnsupportedParameter
from providers.types import JsonObject, Target

_TIERS = {"auto": None, "default": "default", "flex": "flex", "priority": "priority", "reserved": "reserved"}


def _inference(fields: JsonObject) -> JsonObject:
    config: JsonObject = {}
    if (most := most_tokens(fields)) is not None:
        config["maxTokens"] = most
    if "temperature" in fields:
        config["temperature"] = _temperature(shape.number(fields["temperature"], "temperature"))
    if "top_p" in fields:
        config["topP"] = shape.number(fields["top_p"], "top_p")
    if sequences := _stop(fields):
        config["stopSequences"] = sequences
    return {"inferenceConfig": config} if config else {}


def _temperature(value: float) -> float:
    if value > 1:
        raise UnsupportedParameter(
            "Bedrock takes a `temperature` from 0 to 1. Lower it, or put `drop: [temperature]` on the provider.",
            param="temperature",
        )
    return value


def _stop(fields: JsonObject) -> list[str]:
    stop = fields.get("stop", [])
    sequences = [stop] if isinstance(stop, str) else shape.listing(stop, "stop")
    return [text for i, each in enumerate(sequences) if (text := shape.text(each, f"stop[{i}]"))]


def _response_format(fields: JsonObject) -> JsonObject:
    kind, wanted = answer_format(fields)
    if kind != "json_schema":
        return {}
    at = "response_format.json_schema"
    named = shape.mapping(wanted.get("json_schema"), at)
    # Converse wants the schema as a text.
    schema = msgspec.json.encode(shape.mapping(named.get("schema"), f"{at}.schema")).decode()
    told = {name: named[name] for name in ("name", "description") if named.get(name)}
    structure = {"jsonSchema": {**told, "schema": schema}}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}


def _metadata(fields: JsonObject) -> JsonObject:
    told = {
        key: shape.text(value, f"metadata.{key}")
        for key, value in shape.mapping(fields.get("metadata", {}), "metadata").items()
    }
    for name in ("user", "safety_identifier"):
        if name in fields:
            told.setdefault(name, shape.text(fields[name], name))
    return {"requestMetadata": told} if told else {}


def _service_tier(fields: JsonObject) -> JsonObject:
    if "service_tier" not in fields:
        return {}
    tier = shape.text(fields["service_tier"], "service_tier")
    if tier not in _TIERS:
        raise UnsupportedParameter(
            f"Bedrock takes a `service_tier` of {', '.join(_TIERS)}. "
            "To send requests without it, put `drop: [service_tier]` on the provider.",
            param="service_tier",
        )
    return {"serviceTier": {"type": _TIERS[tier]}} if _TIERS[tier] else {}


def effort(fields: JsonObject, family: Family, target: Target) -> JsonObject:
    """Give what stands for `reasoning_effort`, which models have in ways of their own.

    Raises `RequestRejected`, `UnsupportedParameter`.
    """
    wanted = effort_of(fields)
    if wanted is None:
        return {}
    cap = most_tokens(fields)
    return family.effort(wanted, target.max_tokens if cap is None else cap, target)


TRANSLATIONS: tuple[Callable[[JsonObject], JsonObject], ...] = (
    _inference,
    _response_format,
    _metadata,
    _service_tier,
)
"""All that are the same for every model. Each raises `RequestRejected` or `UnsupportedParameter`."""
