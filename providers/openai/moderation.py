"""Moderations in OpenAI's dialect (https://platform.openai.com/docs/api-reference/moderations)."""

from __future__ import annotations

from providers.errors import MalformedResponse
from providers.openai import counts, wire
from providers.openai.plain import Plain, posting
from providers.types import Call, JsonObject, Target, Usage


def _read(call: Call, target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    results = wire.objects(answer.get("results"), "the list of results")
    if not results:
        raise MalformedResponse("the answer has no results")
    answer["results"] = [_result(item) for item in results]
    answer["id"] = wire.text_or_none(answer.get("id")) or f"modr-{call.id}"
    answer["model"] = wire.text_or_none(answer.get("model")) or target.model
    return answer, counts.read(answer.get("usage"))


def _result(item: JsonObject) -> JsonObject:
    categories = item.get("categories")
    if not isinstance(categories, dict):
        raise MalformedResponse("a result has no categories")
    # Mistral has no `flagged`.
    return item if "flagged" in item else {"flagged": any(v is True for v in categories.values()), **item}


ADAPTER = Plain(build=posting("/moderations"), read=_read)
