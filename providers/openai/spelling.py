"""Parts and values that some servers of this dialect spell their own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers.types import Json, JsonObject


def each_message(body: JsonObject, change: Callable[[JsonObject], JsonObject]) -> None:
    """Change every message. A list of anything else is the provider's to refuse."""
    messages = body.get("messages")
    if isinstance(messages, list):
        body["messages"] = [change(message) if isinstance(message, dict) else message for message in messages]


def respell(body: JsonObject, table: Mapping[str, Mapping[str, str | None]]) -> None:
    """Say values the provider's way, or leave out what it does anyway."""
    for name, values in table.items():
        value = body.get(name)
        if not isinstance(value, str) or value not in values:
            continue
        theirs = values[value]
        if theirs is None:
            del body[name]
        else:
            body[name] = theirs


def cache_key(body: Mapping[str, Json], header: str) -> dict[str, str]:
    """Give the key of the prompt's cache as a header, where it can stand in one: it is a hint."""
    key = body.get("prompt_cache_key")
    fits = isinstance(key, str) and key.isascii() and key.isprintable() and key == key.strip()
    return {header: key} if fits and key else {}


def without_foreign(body: JsonObject, fields: frozenset[str]) -> None:
    """Leave out what an earlier answer of another vendor had, in its message and its calls of tools."""
    each_message(body, lambda message: _own(message, fields))


def _own(message: JsonObject, fields: frozenset[str]) -> JsonObject:
    if not fields.isdisjoint(message):
        message = {name: value for name, value in message.items() if name not in fields}
    calls = message.get("tool_calls")
    if isinstance(calls, list) and any(
        isinstance(each, dict) and not fields.isdisjoint(each) for each in calls
    ):
        own = [
            {name: value for name, value in each.items() if name not in fields}
            if isinstance(each, dict)
            else each
            for each in calls
        ]
        message = {**message, "tool_calls": own}
    return message


def switch_thinking(body: JsonObject) -> None:
    """Say `reasoning_effort: none` as `thinking: {type: disabled}` (api-docs.deepseek.com, thinking mode)."""
    if body.get("reasoning_effort") == "none":
        del body["reasoning_effort"]
        body.setdefault("thinking", {"type": "disabled"})


def join_texts(body: JsonObject) -> None:
    """Say a list of texts as one. What has other parts is the provider's to refuse."""
    each_message(body, _joined)


def name_documents(body: JsonObject) -> None:
    """Say files as documents, and sound as bare data (docs.mistral.ai, document understanding and audio)."""
    each_message(body, _with_documents)


def name_thinking(body: JsonObject) -> None:
    """Say what was reasoned in earlier turns as parts of the content (docs.mistral.ai, reasoning)."""
    each_message(body, _with_thinking)


def _with_thinking(message: JsonObject) -> JsonObject:
    told = {name: value for name, value in message.items() if name not in _MAY_BE_EMPTY or value}
    reasoning = told.get("reasoning_content")
    if not isinstance(reasoning, str):
        return told
    del told["reasoning_content"]
    content = told.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": reasoning}]}
    return {**told, "content": [thinking, *parts]}


_MAY_BE_EMPTY = frozenset({"annotations", "audio", "function_call", "reasoning_content", "refusal"})
"""What an answer of OpenAI's has that says nothing, and comes back in the next request."""


def _joined(message: JsonObject) -> JsonObject:
    parts = message.get("content")
    if not isinstance(parts, list) or not parts:
        return message
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    words = [text for text in texts if isinstance(text, str)]
    return {**message, "content": "".join(words)} if len(words) == len(parts) else message


def _with_documents(message: JsonObject) -> JsonObject:
    parts = message.get("content")
    return {**message, "content": [_document(part) for part in parts]} if isinstance(parts, list) else message


def _document(part: Json) -> Json:
    sound = part.get("input_audio") if isinstance(part, dict) else None
    if isinstance(sound, dict) and "data" in sound:
        # The data says itself which format it is in.
        return {**part, "input_audio": sound["data"]}
    file = part.get("file") if isinstance(part, dict) and part.get("type") == "file" else None
    if not isinstance(file, dict):
        return part
    if "file_data" not in file:
        return {"type": "file", **file}
    named = {"document_name": file["filename"]} if "filename" in file else {}
    return {"type": "document_url", "document_url": file["file_data"], **named}
