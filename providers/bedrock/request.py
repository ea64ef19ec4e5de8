"""The request body: OpenAI's fields → Converse's, one table.

* Converse's own fields travel untouched. Given twice, natively and as OpenAI's, and not the same, is refused.
* Fields that nobody here knows go to the model, in `additionalModelRequestFields`: Bedrock would ignore them
  anywhere else, and the model refuses what it does not know.
* What Converse has no place for is refused, unless it says what holds anyway (`n: 1`).
* Left out, because they steer only OpenAI's prompt cache: `prompt_cache_key`, `prompt_cache_retention`,
  `prompt_cache_options`. `stream_options` is the gateway's own business; the address says whether to stream.

Wire format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

from providers.asked import answer_format, lacking, merge, named, refuse
from providers.bedrock import settings
from providers.bedrock.content import blocks
from providers.bedrock.families import MORE, family_of
from providers.bedrock.messages import conversation
from providers.bedrock.tools import FIELDS as TOOL_FIELDS
from providers.bedrock.tools import tools
from providers.types import Call, JsonObject, Target

_NATIVE = frozenset(
    {
        *("additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig", "outputConfig"),
        *("performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "toolConfig", MORE),
    }
)
_TRANSLATED = TOOL_FIELDS | {
    *("max_completion_tokens", "max_tokens", "messages", "metadata", "model", "reasoning_effort"),
    *("response_format", "safety_identifier", "service_tier", "stop", "stream", "system", "temperature"),
    *("top_p", "user"),
}
_LEFT_OUT = frozenset(
    {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "stream_options"}
)
_REFUSED = lacking(
    *("audio", "frequency_penalty", "logit_bias", "logprobs", "modalities", "moderation"),
    *("n", "prediction", "presence_penalty", "seed", "store", "top_logprobs"),
    *("verbosity", "web_search_options"),
)
_KNOWN = _NATIVE | _TRANSLATED | _LEFT_OUT | _REFUSED.keys()

_JSON_ONLY = "Answer with one valid JSON object and nothing else: no words around it and no code fence."


def body(call: Call, target: Target) -> JsonObject:
    """Give Converse's request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    refuse(fields, _REFUSED, target)
    family = family_of(target.model)
    talk = conversation(
        fields.get("messages"), keep_names=target.quirks.message_names and "name" not in target.drop
    )
    result: JsonObject = {"messages": talk.messages}
    if system := [*blocks(fields.get("system"), "system"), *talk.system, *_json_instruction(fields)]:
        result["system"] = system
    for part in (
        *(translate(fields) for translate in settings.TRANSLATIONS),
        settings.effort(fields, family, target),
        {} if "toolConfig" in fields else tools(fields, talk.tools, family),
        {name: fields[name] for name in fields if name in _NATIVE},
        {MORE: own} if (own := {name: fields[name] for name in fields if name not in _KNOWN}) else {},
    ):
        merge(result, part)
    if target.max_tokens is not None:
        result.setdefault("inferenceConfig", {}).setdefault("maxTokens", target.max_tokens)
    return result


def _json_instruction(fields: JsonObject) -> list[JsonObject]:
    # Converse has no switch for "some JSON object", only for a schema.
    return [{"text": _JSON_ONLY}] if answer_format(fields)[0] == "json_object" else []
