"""The body of a chat request: OpenAI's fields → Ollama's, most of which are in `options`.

`keep_alive`, `truncate` and what else is Ollama's own travel untouched at the top, the settings of
its runner (`num_ctx`, `top_k`, `min_p` …) go into `options`, wherever the client has put them. What
Ollama would ignore is refused, unless it says what holds anyway.

Wire format: https://docs.ollama.com/api/chat; the options: https://docs.ollama.com/modelfile#parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers import shape
from providers.asked import answer_format, lacking, named, refuse, twice, unsupported
from providers.caps import most_tokens
from providers.errors import UnsupportedParameter
from providers.ollama.messages import messages
from providers.types import Call, Json, JsonObject, Target

_LEFT_OUT = frozenset(
    {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
)

_REFUSED = lacking(
    *("audio", "function_call", "functions", "logit_bias", "metadata", "modalities"),
    *("moderation", "n", "parallel_tool_calls", "prediction", "safety_identifier"),
    *("service_tier", "store", "user", "verbosity", "web_search_options"),
)

_OPTIONS = frozenset(
    {
        *("frequency_penalty", "min_p", "mirostat", "mirostat_eta", "mirostat_tau", "num_batch", "num_ctx"),
        *("num_gpu", "num_keep", "num_predict", "num_thread", "presence_penalty", "repeat_last_n"),
        *("repeat_penalty", "seed", "temperature", "tfs_z", "top_k", "top_p", "typical_p"),
    }
)
"""Fields that go into `options` under their own name."""

_EFFORTS: Mapping[str, Json] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
}


def body(call: Call, target: Target) -> JsonObject:
    """Give Ollama's request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    result: JsonObject = {
        "model": target.model,
        "messages": messages(fields.get("messages"), target),
        # Without this it streams.
        "stream": call.stream,
    }
    untouched = {name: value for name, value in fields.items() if name not in _KNOWN}
    for part in (*(translate(fields, target) for translate in _TRANSLATIONS), untouched):
        for name, value in part.items():
            if result.setdefault(name, value) != value:
                raise twice(name)
    return result


def _options(fields: JsonObject, _target: Target) -> JsonObject:
    options = {name: fields[name] for name in sorted(_OPTIONS & fields.keys())}
    cap = most_tokens(fields)
    if cap is not None:
        options["num_predict"] = cap
    stop = fields.get("stop", [])
    sequences = [stop] if isinstance(stop, str) else shape.listing(stop, "stop")
    if sequences:
        options["stop"] = [shape.text(each, f"stop[{index}]") for index, each in enumerate(sequences)]
    for name, value in shape.mapping(fields.get("options", {}), "options").items():
        if options.setdefault(name, value) != value:
            raise twice(f"options.{name}")
    return {"options": options} if options else {}


def _tools(fields: JsonObject, target: Target) -> JsonObject:
    listed = shape.listing(fields.get("tools", []), "tools")
    for index, each in enumerate(listed):
        tool = shape.mapping(each, f"tools[{index}]")
        if "function" not in tool:
            raise UnsupportedParameter(
                f"`tools[{index}]` is no function. `{target.name}` takes tools of type function.",
                param=f"tools[{index}]",
            )
    choice = fields.get("tool_choice", "auto")
    if choice == "none":
        # It calls what it is given, so it is given none.
        return {}
    if choice != "auto":
        raise unsupported("tool_choice", target, "Its models choose by themselves: send auto or none. ")
    return {"tools": listed} if listed else {}


def _format(fields: JsonObject, _target: Target) -> JsonObject:
    kind, wanted = answer_format(fields)
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"format": "json"}
    at = "response_format.json_schema"
    labelled = shape.mapping(wanted.get("json_schema"), at)
    return {"format": shape.mapping(labelled.get("schema"), f"{at}.schema")}


def _think(fields: JsonObject, target: Target) -> JsonObject:
    if "reasoning_effort" not in fields:
        return {}
    effort = shape.text(fields["reasoning_effort"], "reasoning_effort")
    if effort not in _EFFORTS:
        raise unsupported("reasoning_effort", target, f"It takes {', '.join(_EFFORTS)}. ")
    return {"think": _EFFORTS[effort]}


def _logprobs(fields: JsonObject, _target: Target) -> JsonObject:
    wanted = "logprobs" in fields and shape.flag(fields["logprobs"], "logprobs")
    more = {"top_logprobs": fields["top_logprobs"]} if fields.get("top_logprobs") else {}
    return {"logprobs": True, **more} if wanted else {}


_TRANSLATIONS: tuple[Callable[[JsonObject, Target], JsonObject], ...] = (
    _options,
    _tools,
    _format,
    _think,
    _logprobs,
)

_TRANSLATED = _OPTIONS | {
    *("logprobs", "max_completion_tokens", "max_tokens", "messages", "model", "options", "reasoning_effort"),
    *("response_format", "stop", "stream", "tool_choice", "tools", "top_logprobs"),
}

_KNOWN = _TRANSLATED | _LEFT_OUT | _REFUSED.keys()
