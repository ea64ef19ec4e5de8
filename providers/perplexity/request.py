"""The request body: a chat's fields, and those of Sonar's chat completions, → the Agent API's.

* A model is `vendor/model`; a name without a vendor is a preset. Sonar's names stand for one or the
  other, by `OPTIONS`.
* It searches the web unless the client says `disable_search`: presets do by themselves, a model is
  given the tool (`search.py`).
* Fields that no table names travel untouched (`temperature`, `max_steps`, `language_preference` …).

Wire format: https://docs.perplexity.ai/api-reference/agent-post.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers import asked, shape
from providers.errors import UnsupportedParameter
from providers.perplexity import search
from providers.responses.items import items
from providers.responses.settings import asked_format, cap, stream
from providers.responses.tools import choice
from providers.types import Call, Json, JsonObject, Target

SONAR: Mapping[str, str] = {
    "sonar": "perplexity/sonar",
    "sonar-pro": "fast",
    "sonar-reasoning": "low",
    "sonar-reasoning-pro": "low",
    "sonar-deep-research": "wide-research",
}

_REFUSED: Mapping[str, asked.Neutral] = {
    **{
        name: asked.NOTHING[name]
        for name in (
            *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs"),
            *("modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty"),
            *("seed", "stop", "top_logprobs", "verbosity"),
        )
    },
    "enable_search_classifier": lambda value: value is False,
    "image_domain_filter": lambda value: value == [],
    "image_format_filter": lambda value: value == [],
    "metadata": lambda value: value == {},
    "return_images": lambda value: value is False,
    "return_related_questions": lambda value: value is False,
    "safety_identifier": lambda _: False,
    "search_mode": lambda value: value == "web",
    "stream_mode": lambda value: value == "full",
    "top_k": lambda value: value == 0,
    "user": lambda _: False,
}


def body(call: Call, target: Target) -> JsonObject:
    """Give the request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = asked.named(call.body, target, _KNOWN)
    asked.refuse(fields, _REFUSED, target)
    result = _model(target)
    talk = [_plain(item) for item in items(fields.get("messages"), target, stored=False) if _taken(item)]
    result |= _told(talk)
    for translate in _TRANSLATIONS:
        asked.merge(result, translate(fields))
    asked.merge(result, {name: value for name, value in fields.items() if name not in _KNOWN})
    preset = bool({"preset", "effort"} & result.keys())
    if tools := search.tools(fields, target, preset=preset):
        result["tools"] = tools
    return result


def _model(target: Target) -> JsonObject:
    name = target.options.get(target.model) or SONAR.get(target.model, target.model)
    return {"model" if "/" in name else "preset": name}


def _told(talk: list[JsonObject]) -> JsonObject:
    """Give what opens the conversation as instructions, where it is text, and the rest as input."""
    count = 0
    while count < len(talk) and talk[count].get("role") in {"system", "developer"}:
        count += 1
    opening = [item["content"] for item in talk[:count]]
    told: dict[str, Json] = {"instructions": "\n\n".join(opening)} if opening else {}
    return {**told, "input": talk[count:]}


def _taken(item: JsonObject) -> bool:
    """Whether it takes such an item back: what its own searches have found, it does not."""
    return item.get("type", "message") in {"message", "function_call", "function_call_output"}


def _plain(item: JsonObject) -> JsonObject:
    """Say as one text what is one: it takes parts of users only."""
    if item.get("role") == "user":
        return {"type": "message", **item}
    if "role" in item:
        return {"type": "message", **item, "content": _text(item["content"])}
    return {**item, "output": _text(item["output"])} if "output" in item else item


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    words = [part.get("text", part.get("refusal")) for part in content]
    if not all(isinstance(each, str) for each in words):
        raise UnsupportedParameter(
            "Perplexity takes only text in messages that are not the user's.", param="messages"
        )
    return "".join(words)


def _format(fields: JsonObject) -> JsonObject:
    wanted = asked_format(fields)
    kind = wanted.get("type", "text")
    if kind == "text":
        return {}
    if kind == "json_object":
        # It has no word for "some JSON object", but a schema that any of them fits.
        wanted = {"type": "json_schema", "json_schema": {"name": "object", "schema": {"type": "object"}}}
    elif kind != "json_schema":
        raise UnsupportedParameter(
            f"Perplexity takes a `response_format` of text, json_object or json_schema, not {kind}.",
            param="response_format.type",
        )
    return {"response_format": wanted}


def _effort(fields: JsonObject) -> JsonObject:
    if "reasoning_effort" not in fields:
        return {}
    effort = shape.text(fields["reasoning_effort"], "reasoning_effort")
    return {"reasoning": {"effort": "xhigh" if effort == "max" else effort}}


_TRANSLATIONS: tuple[Callable[[JsonObject], JsonObject], ...] = (cap, _format, _effort, choice, stream)

_TRANSLATED = frozenset(
    {
        *("max_completion_tokens", "max_tokens", "messages", "model", "reasoning_effort"),
        *("response_format", "stream", "stream_options", "tool_choice", "tools"),
    }
)

_KNOWN = _TRANSLATED | _REFUSED.keys() | search.FIELDS
