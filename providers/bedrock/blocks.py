"""Converse's blocks → those of Anthropic's Messages, which are the same under other names and have a reader.

Wire formats: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html and
…/API_runtime_ContentBlockDelta.html.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.anthropic.blocks import UNKNOWN
from providers.errors import MalformedResponse
from providers.types import Json, JsonObject

_NOTHING: JsonObject = {"type": UNKNOWN}


def whole(block: JsonObject) -> JsonObject:
    """Give a block of a whole answer, or the start of a streamed one. Raises `MalformedResponse`."""
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "toolUse" in block:
        use = _object(block["toolUse"])
        return {
            "type": "tool_use",
            "id": use.get("toolUseId"),
            "name": use.get("name"),
            "input": use.get("input"),
        }
    if "reasoningContent" in block:
        return _reasoning(_object(block["reasoningContent"]))
    if "citationsContent" in block:
        return _cited(_object(block["citationsContent"]))
    return _NOTHING


def beginning(delta: JsonObject) -> JsonObject:
    """Give the start of a block of which this is the first that comes: text and reasoning have no start of their own."""
    if "text" in delta or "citation" in delta:
        return {"type": "text", "text": ""}
    if "toolUse" in delta:
        raise MalformedResponse("The provider's stream goes on with a call that has not begun.")
    reasoning = _object(delta.get("reasoningContent", {}))
    if "redactedContent" in reasoning:
        return {"type": "redacted_thinking", "data": reasoning["redactedContent"]}
    return {"type": "thinking", "thinking": ""} if reasoning else _NOTHING


def more(delta: JsonObject) -> JsonObject:
    """Give a delta. Raises `MalformedResponse`."""
    if "text" in delta:
        return {"type": "text_delta", "text": delta["text"]}
    if "toolUse" in delta:
        return {"type": "input_json_delta", "partial_json": _object(delta["toolUse"]).get("input")}
    if "citation" in delta:
        return {"type": "citations_delta", "citation": _citation(_object(delta["citation"]))}
    reasoning = _object(delta.get("reasoningContent", {}))
    if "text" in reasoning:
        return {"type": "thinking_delta", "thinking": reasoning["text"]}
    if "signature" in reasoning:
        return {"type": "signature_delta", "signature": reasoning["signature"]}
    return _NOTHING


def _reasoning(content: Mapping[str, Json]) -> JsonObject:
    if "redactedContent" in content:
        return {"type": "redacted_thinking", "data": content["redactedContent"]}
    said = _object(content.get("reasoningText", {}))
    signed = {"signature": said["signature"]} if said.get("signature") else {}
    return {"type": "thinking", "thinking": said.get("text"), **signed}


def _cited(content: Mapping[str, Json]) -> JsonObject:
    texts = [_object(each).get("text") for each in _list(content.get("content"))]
    citations = [_citation(_object(each)) for each in _list(content.get("citations"))]
    return {"type": "text", "text": "".join(t for t in texts if isinstance(t, str)), "citations": citations}


def _citation(citation: Mapping[str, Json]) -> JsonObject:
    web = _object(_object(citation.get("location", {})).get("web", {}))
    if not isinstance(web.get("url"), str):
        return _NOTHING
    title = citation.get("title")
    return {
        "type": "web_search_result_location",
        "url": web["url"],
        "title": title if isinstance(title, str) else "",
    }


def _object(value: Json) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise MalformedResponse("A content block of the answer is not an object.")


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
