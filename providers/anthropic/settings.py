"""Settings of a request, each OpenAI's → Anthropic's: a function takes the fields and gives its part.

Wire format: https://docs.anthropic.com/en/api/messages.
"""

from __future__ import annotations

from collections.abc import Callable

from providers import shape
from providers.anthropic.fields import unsupported
from providers.asked import answer_format, merge
from providers.errors import UnsupportedParameter
from providers.types import JsonObject


def _response_format(fields: JsonObject) -> JsonObject:
    kind, wanted = answer_format(fields)
    if kind != "json_schema":
        return {}
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
    given = [stop] if isinstance(stop, str) else shape.listing(stop, "stop")
    sequences = [s for i, s in enumerate(given) if shape.text(s, f"stop[{i}]")]
    if not all(each.strip() for each in sequences):
        raise UnsupportedParameter(
            "Anthropic takes no sequence of white space alone in `stop`. "
            "To send requests without any, put `drop: [stop]` on the provider.",
            param="stop",
        )
    return {"stop_sequences": sequences} if sequences else {}


def _user(fields: JsonObject) -> JsonObject:
    metadata = shape.mapping(fields.get("metadata", {}), "metadata")
    if metadata and "user_id" not in metadata:
        raise unsupported("metadata")
    # `safety_identifier` replaces the deprecated `user`.
    name = "safety_identifier" if "safety_identifier" in fields else "user"
    part = {"metadata": {"user_id": shape.text(fields[name], name)}} if name in fields else {}
    merge(part, {"metadata": metadata} if metadata else {})
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


TRANSLATIONS: tuple[Callable[[JsonObject], JsonObject], ...] = (
    _response_format,
    _temperature,
    _stop,
    _user,
    _service_tier,
    _stream,
)
"""All of them. Each raises `RequestRejected` or `UnsupportedParameter`."""
