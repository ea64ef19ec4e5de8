"""The request body: OpenAI's fields → Gemini's, one table.

* Fields that no table names are Gemini's own or unknown: they travel untouched (`safetySettings`,
  `cachedContent`, `generationConfig` …). Given twice, natively and as OpenAI's field, and not the
  same, is refused.
* What Gemini has no place for is refused, unless it says what holds anyway.
* Left out, because they steer only OpenAI's prompt cache or the cost of an image and no answer's
  shape: `prompt_cache_key`, `prompt_cache_retention`, `prompt_cache_options`, an image's `detail`.
  `stream_options` is the gateway's own business; `user`, `safety_identifier`, a file's name and a JSON
  schema's are mere labels;
  `strict` asks for what a function's schema gets anyway once a call is forced.

Wire formats: https://ai.google.dev/api/generate-content and
https://platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

from providers.asked import lacking, merge, named, refuse
from providers.gemini import settings, tools
from providers.gemini.messages import conversation
from providers.gemini.signatures import must_be_signed
from providers.types import Call, JsonObject, Target

_LEFT_OUT = frozenset(
    {
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"),
        *("stream", "stream_options", "user"),
    }
)

_REFUSED = lacking(
    *("audio", "logit_bias", "metadata", "moderation", "parallel_tool_calls"),
    *("prediction", "store", "verbosity"),
)

_TRANSLATED = frozenset(
    {
        *("frequency_penalty", "function_call", "functions", "logprobs", "max_completion_tokens"),
        *("max_tokens", "messages", "modalities", "model", "n", "presence_penalty", "reasoning_effort"),
        *("response_format", "seed", "service_tier", "stop", "temperature", "tool_choice", "tools"),
        *("top_k", "top_logprobs", "top_p", "web_search_options"),
    }
)

_KNOWN = _TRANSLATED | _LEFT_OUT | _REFUSED.keys()


def method(call: Call) -> str:
    """Give the method that answers the call, whole or as a stream."""
    return "streamGenerateContent?alt=sse" if call.stream else "generateContent"


def body(call: Call, target: Target) -> JsonObject:
    """Give Gemini's request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    keep_names = target.quirks.message_names and "name" not in target.drop
    signed = must_be_signed(target.model)
    talk = conversation(fields.get("messages"), target, keep_names=keep_names, signed=signed)
    result: JsonObject = {"contents": talk.contents}
    if talk.system:
        result["systemInstruction"] = {"parts": talk.system}
    for translate in (tools.tools, settings.generation, settings.service_tier):
        merge(result, translate(fields, target))
    merge(result, {name: value for name, value in fields.items() if name not in _KNOWN})
    return result
