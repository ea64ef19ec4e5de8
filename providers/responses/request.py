"""The request body: a chat's fields → those of the Responses API.

* Fields that no table names have the same name there, are its own or unknown: they travel untouched
  (`temperature`, `metadata`, `reasoning`, `previous_response_id` …). Given twice, natively and as a
  chat's field, and not the same, is refused.
* What the API has no place for is refused, unless it says what holds anyway (`n: 1`).
* Nothing is stored unless the client says so, as with a chat. Reasoning then comes encrypted, so that
  the client can bring it back in the next turn. Models that do not reason refuse to be asked for it:
  `drop: [include]` leaves that out.

Wire formats: https://platform.openai.com/docs/api-reference/responses/create and
https://platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers import asked, shape
from providers.responses.items import items
from providers.responses.settings import TRANSLATIONS
from providers.types import Call, JsonObject, Target

ENCRYPTED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

REFUSED: Mapping[str, asked.Neutral] = {
    **{
        name: asked.NOTHING[name]
        for name in (
            *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "modalities", "n"),
            *("prediction", "presence_penalty", "seed", "stop"),
        )
    },
    # An answer that is not there yet is no answer to a chat.
    "background": lambda value: value is False,
}


def body(call: Call, target: Target) -> JsonObject:
    """Give the request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = asked.named(call.body, target, _KNOWN)
    asked.refuse(fields, REFUSED, target)
    stored = shape.flag(fields.get("store", False), "store")
    result: JsonObject = {
        "model": target.model,
        "input": items(fields.get("messages"), target, stored=stored),
        "store": stored,
    }
    if included := _included(fields, target, stored=stored):
        result["include"] = included
    for translate in TRANSLATIONS:
        asked.merge(result, translate(fields))
    asked.merge(result, {name: value for name, value in fields.items() if name not in _KNOWN})
    return result


def _included(fields: JsonObject, target: Target, *, stored: bool) -> list[str]:
    given = shape.listing(fields.get("include", []), "include")
    wanted = dict.fromkeys(shape.text(each, f"include[{i}]") for i, each in enumerate(given))
    if not stored and "include" not in target.drop:
        wanted[ENCRYPTED_REASONING] = None
    if shape.flag(fields.get("logprobs", False), "logprobs"):
        wanted[LOGPROBS] = None
    return list(wanted)


_TRANSLATED = frozenset(
    {
        *("include", "logprobs", "max_completion_tokens", "max_tokens", "messages", "model"),
        *("reasoning_effort", "response_format", "store", "stream", "stream_options"),
        *("tool_choice", "tools", "verbosity", "web_search_options"),
    }
)

_KNOWN = _TRANSLATED | REFUSED.keys()
