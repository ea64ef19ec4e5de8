"""Rerank, in the shape that Cohere gave it (https://docs.cohere.com/reference/rerank) and vLLM, Groq, Together and Fireworks took."""

from __future__ import annotations

from providers.errors import MalformedResponse
from providers.openai import counts, wire
from providers.openai.plain import Plain, posting
from providers.types import Call, Json, JsonObject, Target, Usage


def _read(call: Call, _target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    # Fireworks has the results under `data`, as OpenAI has all lists.
    listed = answer.pop("data", None)
    results = wire.objects(answer.get("results") or listed, "the list of results")
    documents = call.body.get("documents") if call.body.get("return_documents") is True else None
    answer["results"] = [_result(item, documents) for item in results]
    answer["id"] = wire.text_or_none(answer.get("id")) or f"rerank-{call.id}"
    used = counts.read(answer.get("usage"))
    meta = answer.get("meta")
    if not isinstance(meta, dict):
        meta = {"tokens": {"input_tokens": used.input_tokens}} if used else {}
    answer["meta"] = meta
    return answer, searched(meta) or used


def searched(meta: JsonObject) -> Usage | None:
    """Read the search units, and tokens where they are billed, that Cohere tells under `meta`."""
    billed = meta.get("billed_units")
    if not isinstance(billed, dict):
        return None
    units = wire.whole_number(billed.get("search_units"))
    tokens = wire.whole_number(billed.get("input_tokens"))
    return None if units is None and tokens is None else Usage(input_tokens=tokens or 0, searches=units or 0)


def _result(item: JsonObject, documents: Json) -> JsonObject:
    index = wire.whole_number(item.get("index"))
    if index is None or not _is_number(item.get("relevance_score")):
        raise MalformedResponse("a result has no index or no score")
    if "document" in item or not isinstance(documents, list) or index >= len(documents):
        return item
    # Cohere's first version gave the documents back where that was asked for, and few do still.
    document = documents[index]
    return {**item, "document": document if isinstance(document, dict) else {"text": document}}


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


ADAPTER = Plain(build=posting("/rerank"), read=_read)
