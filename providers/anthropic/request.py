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

from providers.anthropic import settings, thinking, tools
from providers.anthropic.content import blocks
from providers.anthropic.fields import unsupported
from providers.anthropic.messages import conversation
from providers.asked import answer_format, lacking, merge, named
from providers.caps import most_tokens
from providers.types import Call, JsonObject, Target

DEFAULT_MAX_TOKENS = 4096
"""Anthropic wants a number. Every model of the last years can write this much."""

_LEFT_OUT = frozenset(
    {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
)

_REFUSED = lacking(
    *("audio", "frequency_penalty", "logit_bias", "logprobs", "modalities", "moderation"),
    *("n", "prediction", "presence_penalty", "seed", "store", "top_logprobs"),
    *("verbosity", "web_search_options"),
)

_JSON_ONLY = "Answer with one valid JSON object and nothing else: no words around it and no code fence."


def body(call: Call, target: Target) -> JsonObject:
    """Give Anthropic's request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    _refuse(fields)
    keep_names = target.quirks.message_names and "name" not in target.drop
    talk = conversation(fields.get("messages"), keep_names=keep_names)
    given = most_tokens(fields)
    thoughts = thinking.asked(fields, given, target)
    result: JsonObject = {"model": target.model, "max_tokens": _most(given, thoughts, target)}
    if system := [*blocks(fields.get("system"), "system"), *talk.system, *_json_instruction(fields)]:
        result["system"] = system
    result["messages"] = talk.messages
    for translate in (tools.tools, *settings.TRANSLATIONS):
        merge(result, translate(fields))
    merge(result, thoughts)
    merge(result, {name: value for name, value in fields.items() if name not in _KNOWN})
    if "tools" not in result and "tool_choice" not in result:
        result |= tools.redeclared(talk.messages)
    return result


def _most(given: int | None, thoughts: JsonObject, target: Target) -> int:
    """Give the cap, which holds for thoughts too: what is to be thought comes on top of one that nobody asked for."""
    if given is not None:
        return given
    budget: int = thoughts.get("thinking", {}).get("budget_tokens", 0)
    return (target.max_tokens or DEFAULT_MAX_TOKENS) + budget


def _refuse(fields: JsonObject) -> None:
    for name, is_neutral in _REFUSED.items():
        if name in fields and not is_neutral(fields[name]):
            raise unsupported(name)


def _json_instruction(fields: JsonObject) -> list[JsonObject]:
    # Anthropic has no switch for "some JSON object", only for a schema. OpenAI wants the prompt to
    # ask for JSON as well, so the instruction repeats what the client has said or meant to say.
    if answer_format(fields)[0] == "json_object":
        return [{"type": "text", "text": _JSON_ONLY}]
    return []


_TRANSLATED = frozenset(
    {
        *("function_call", "functions", "max_completion_tokens", "max_tokens", "messages", "metadata"),
        *("model", "parallel_tool_calls", "reasoning_effort", "response_format", "safety_identifier"),
        *("service_tier", "stop", "stream", "system", "temperature", "tool_choice", "tools", "user"),
    }
)

_KNOWN = _TRANSLATED | _LEFT_OUT | _REFUSED.keys()
