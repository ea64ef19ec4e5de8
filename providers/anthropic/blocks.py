"""The blocks of an answer → deltas of OpenAI's. A whole answer is a stream that came at once.

Whatever is a list in a delta has an `index` in each item, counted from 0 over the whole answer:
OpenAI's SDK joins lists by it, and fails without.

A block is opened, takes its deltas, and is closed. Each step gives what OpenAI's client should
see of it, or nothing. Deltas of unknown types within known blocks are ignored, as Anthropic's documents
ask (https://docs.anthropic.com/en/docs/build-with-claude/streaming).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from providers.echoed import OUTPUT_ITEMS
from providers.errors import MalformedResponse
from providers.types import Json, JsonObject

UNKNOWN = "unknown"
"""The type of a block of which nothing is told."""


class Step(NamedTuple):
    """A delta, and how many bytes of generated text are in it."""

    delta: JsonObject
    text_bytes: int = 0


@dataclass(slots=True)
class Progress:
    """How far the answer has come."""

    functions: bool = False
    """The client speaks `function_call`."""
    characters: int = 0
    """Characters of `content` so far."""
    calls: int = 0
    """Tool calls so far."""
    thoughts: int = 0
    """Blocks of reasoning so far."""
    citations: int = 0
    """Annotations so far."""
    kept: int = 0
    """Entries of `output_items` so far."""


class Block:
    """A block that OpenAI has no place for, and what all blocks share."""

    def __init__(self, start: JsonObject, progress: Progress) -> None:
        self._start = start
        self._progress = progress

    def open(self) -> Step | None:
        """Begin."""
        return None

    def take(self, delta: JsonObject) -> Step | None:  # noqa: ARG002 - the contract of all blocks
        """Take one delta. Raises `MalformedResponse`."""
        return None

    def close(self) -> Step | None:
        """End."""
        return None


class TextBlock(Block):
    """Text, and where it comes from."""

    def open(self) -> Step | None:
        """Begin; a text that came at once is all here."""
        self._from = self._progress.characters
        self._citations: list[Json] = msgspec.convert(self._start.get("citations") or [], list[Json])
        return self._write(_text(self._start, "text"))

    def take(self, delta: JsonObject) -> Step | None:
        """Give the text; keep a citation until the end of the text is known."""
        if delta.get("type") == "citations_delta":
            self._citations.append(delta.get("citation"))
        return self._write(_text(delta, "text")) if delta.get("type") == "text_delta" else None

    def close(self) -> Step | None:
        """Give the citations of web pages, which are the ones that OpenAI knows."""
        span = {"start_index": self._from, "end_index": self._progress.characters}
        found = [annotation for citation in self._citations if (annotation := _annotation(citation, span))]
        first = self._progress.citations
        self._progress.citations += len(found)
        indexed = [{"index": index, **annotation} for index, annotation in enumerate(found, first)]
        return Step({"annotations": indexed}) if indexed else None

    def _write(self, text: str) -> Step | None:
        self._progress.characters += len(text)
        return Step({"content": text}, _size(text)) if text else None


class ThinkingBlock(Block):
    """Reasoning: readable at once, and whole with its signature at the end, to be sent back."""

    def open(self) -> Step | None:
        """Begin; a thought that came at once is all here."""
        self._pieces: dict[str, list[str]] = {"thinking": [], "signature": []}
        return self._think(self._begun("thinking"))

    def take(self, delta: JsonObject) -> Step | None:
        """Give a thought; keep it and its signature."""
        key = {"thinking_delta": "thinking", "signature_delta": "signature"}.get(str(delta.get("type")))
        if key is None:
            return None
        piece = _text(delta, key)
        self._pieces[key].append(piece)
        return self._think(piece) if key == "thinking" else None

    def close(self) -> Step | None:
        """Give the block as Anthropic wants it back."""
        grown = {key: "".join([self._begun(key), *new]) for key, new in self._pieces.items() if new}
        return _thought({**self._start, **grown}, self._progress)

    def _begun(self, key: str) -> str:
        return _text(self._start, key) if self._start.get(key) else ""

    def _think(self, text: str) -> Step | None:
        return Step({"reasoning_content": text}, _size(text)) if text else None


class RedactedThinkingBlock(Block):
    """Reasoning that nobody may read but the model."""

    def close(self) -> Step | None:
        """Give the block as Anthropic wants it back."""
        return _thought(self._start, self._progress)


class ToolUseBlock(Block):
    """A call of a tool."""

    def open(self) -> Step | None:
        """Give the call's id and name."""
        self._index = self._progress.calls
        self._progress.calls += 1
        self._has_arguments = False
        self._input = self._start.get("input") or {}
        if not isinstance(self._input, dict):
            raise MalformedResponse("The input of a tool call is not an object.")
        name = _text(self._start, "name")
        if self._progress.functions:
            return Step({"function_call": {"name": name, "arguments": ""}}) if self._index == 0 else None
        call = {"index": self._index, "id": _text(self._start, "id"), "type": "function"}
        return Step({"tool_calls": [{**call, "function": {"name": name, "arguments": ""}}]})

    def take(self, delta: JsonObject) -> Step | None:
        """Give a piece of the arguments."""
        piece = _text(delta, "partial_json") if delta.get("type") == "input_json_delta" else ""
        return self._argue(piece) if piece else None

    def close(self) -> Step | None:
        """Give the arguments that came at once, or `{}` where there are none."""
        return None if self._has_arguments else self._argue(msgspec.json.encode(self._input).decode())

    def _argue(self, piece: str) -> Step | None:
        self._has_arguments = True
        if not self._progress.functions:
            call = {"index": self._index, "function": {"arguments": piece}}
            return Step({"tool_calls": [call]}, _size(piece))
        return Step({"function_call": {"arguments": piece}}, _size(piece)) if self._index == 0 else None


class KeptBlock(Block):
    """What the provider's own tools did, and whatever else is not known: it is kept whole, to be sent back."""

    def open(self) -> Step | None:
        """Begin; most are all here."""
        self._place = {
            "after_text": self._progress.characters > 0,
            "after_calls": self._progress.calls,
            "dialect": DIALECT,
        }
        self._item: JsonObject = {**self._start}
        self._input: list[str] = []
        return None

    def take(self, delta: JsonObject) -> Step | None:
        """Keep what is added: the input of a call, or more of a text."""
        if delta.get("type") == "input_json_delta":
            self._input.append(_text(delta, "partial_json"))
            return None
        for name, value in delta.items():
            before = self._item.get(name)
            if name != "type":
                joins = isinstance(before, str) and isinstance(value, str)
                self._item[name] = before + value if joins else value
        return None

    def close(self) -> Step | None:
        """Give it with its place among text and calls; nothing where its input was cut short."""
        if given := "".join(self._input):
            try:
                self._item["input"] = msgspec.json.decode(given)
            except (ValueError, RecursionError):
                return None
        self._progress.kept += 1
        entry = {"index": self._progress.kept - 1, **self._place, "item": self._item}
        return Step({OUTPUT_ITEMS: [entry]})


DIALECT = "anthropic"
"""Whose items they are."""

_BLOCKS: Mapping[str, type[Block]] = {
    "text": TextBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedThinkingBlock,
    "tool_use": ToolUseBlock,
    UNKNOWN: Block,
}


def block(start: JsonObject, progress: Progress) -> Block:
    """Give the reader of a block that starts like this. Raises `MalformedResponse`."""
    return _BLOCKS.get(_text(start, "type"), KeptBlock)(start, progress)


def _text(source: JsonObject, key: str) -> str:
    value = source.get(key)
    if isinstance(value, str):
        return value
    raise MalformedResponse(f"A content block has no text in `{key}`.")


def _size(text: str) -> int:
    return len(text.encode())


def _thought(block: JsonObject, progress: Progress) -> Step:
    progress.thoughts += 1
    return Step({"thinking_blocks": [{"index": progress.thoughts - 1, **block}]})


def _annotation(citation: Json, span: JsonObject) -> JsonObject | None:
    if not isinstance(citation, dict) or citation.get("type") != "web_search_result_location":
        return None
    cited = {"url": citation.get("url"), "title": citation.get("title") or ""}
    if not all(isinstance(value, str) for value in cited.values()):
        raise MalformedResponse("A citation has no text in its address or title.")
    return {"type": "url_citation", "url_citation": {**span, **cited}}
