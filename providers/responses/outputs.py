"""The items of an answer → deltas of a chat's. A whole answer is a stream that came at once.

An item is opened, takes its events, and is closed with the whole of itself: what no event has said is
said then, since servers differ in what they stream (a call may come whole, an item only as done).
Whatever is a list in a delta has an `index` in each entry, counted from 0 over the whole answer: OpenAI's
SDK joins lists by it.

Wire format: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import msgspec

from providers.errors import MalformedResponse
from providers.openai.wire import objects, whole_number
from providers.types import JsonObject


class Event(msgspec.Struct):
    """An event about an item, as far as it is acted on."""

    type: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    item: JsonObject | None = None
    annotation: JsonObject | None = None
    logprobs: list[JsonObject] | None = None


class Step(NamedTuple):
    """A delta, how many bytes of generated text are in it, and the log probabilities of its tokens."""

    delta: JsonObject
    text_bytes: int = 0
    logprobs: list[JsonObject] | None = None


Steps = Iterator[Step]


@dataclass(slots=True)
class Progress:
    """How far the answer has come."""

    characters: int = 0
    """Characters of `content` so far."""
    calls: int = 0
    """Tool calls so far."""
    annotations: int = 0
    kept: int = 0
    """Entries of `output_items` so far."""
    thoughts: bool = False
    """Whether there was any reasoning to read."""


class Item:
    """An item that a chat has no place for (what the provider's own tools did): it is kept as it is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._place = (progress.characters > 0, progress.calls)

    def open(self, item: JsonObject) -> Steps:  # noqa: ARG002 - the contract of all items
        """Begin."""
        return iter(())

    def take(self, event: Event) -> Steps:  # noqa: ARG002 - the contract of all items
        """Take one event."""
        return iter(())

    def close(self, item: JsonObject) -> Steps:
        """End, with the whole item. Raises `MalformedResponse`."""
        after_text, after_calls = self._place
        entry = {"after_text": after_text, "after_calls": after_calls, "item": item}
        self._progress.kept += 1
        yield Step({"output_items": [{"index": self._progress.kept - 1, **entry}]})


class Reasoning(Item):
    """Reasoning: readable as far as it is told, and whole to be sent back."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self._told: dict[tuple[str, int], int] = {}

    def take(self, event: Event) -> Steps:
        """Give a piece of a summary or of the reasoning itself."""
        if event.type == "response.reasoning_summary_text.delta":
            yield from self._tell(("summary", event.summary_index), event.delta or "")
        elif event.type == "response.reasoning_text.delta":
            yield from self._tell(("content", event.content_index), event.delta or "")

    def close(self, item: JsonObject) -> Steps:
        """Give what was not told yet, and the item."""
        for kind in ("summary", "content"):
            for index, part in enumerate(objects(item.get(kind), "a part of reasoning")):
                yield from self._tell((kind, index), text(part, "text")[self._told.get((kind, index), 0) :])
        yield from super().close(item)

    def _tell(self, part: tuple[str, int], piece: str) -> Steps:
        if not piece:
            return
        # Each part is a paragraph of its own.
        words = "\n\n" + piece if self._progress.thoughts and part not in self._told else piece
        self._progress.thoughts = True
        self._told[part] = self._told.get(part, 0) + len(piece)
        yield Step({"reasoning_content": words}, size(words))


class Message(Item):
    """What the model says: text and where it comes from, or a refusal."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self._said: dict[int, int] = {}
        self._refused: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        self._noted: dict[int, int] = {}

    def take(self, event: Event) -> Steps:
        """Give a piece of text or refusal, or an annotation."""
        part = event.content_index
        if event.type == "response.output_text.delta":
            yield from self._say(part, event.delta or "", event.logprobs)
        elif event.type == "response.refusal.delta":
            yield from self._refuse(part, event.delta or "")
        elif event.type == "response.output_text.annotation.added" and event.annotation is not None:
            yield from self._note(part, event.annotation)

    def close(self, item: JsonObject) -> Steps:
        """Give what was not said yet."""
        for index, part in enumerate(objects(item.get("content"), "the content of a message")):
            if part.get("type") == "output_text":
                rest = text(part, "text")[self._said.get(index, 0) :]
                told = None if self._said.get(index) else objects(part.get("logprobs"), "the logprobs")
                yield from self._say(index, rest, told)
                notes = objects(part.get("annotations"), "the annotations")
                for note in notes[self._noted.get(index, 0) :]:
                    yield from self._note(index, note)
            elif part.get("type") == "refusal":
                yield from self._refuse(index, text(part, "refusal")[self._refused.get(index, 0) :])

    def _say(self, part: int, piece: str, told: list[JsonObject] | None) -> Steps:
        self._begins.setdefault(part, self._progress.characters)
        if not piece:
            return
        self._said[part] = self._said.get(part, 0) + len(piece)
        self._progress.characters += len(piece)
        yield Step({"content": piece}, size(piece), [_logprob(each) for each in told or ()] or None)

    def _refuse(self, part: int, piece: str) -> Steps:
        if piece:
            self._refused[part] = self._refused.get(part, 0) + len(piece)
            yield Step({"refusal": piece}, size(piece))

    def _note(self, part: int, note: JsonObject) -> Steps:
        self._noted[part] = self._noted.get(part, 0) + 1
        index = self._progress.annotations
        self._progress.annotations += 1
        noted = _annotation(note, self._begins.get(part, 0))
        yield Step({"annotations": [{"index": index, **noted}]})


class ToolCall(Item):
    """A call of a function, whose arguments are JSON."""

    kind: ClassVar[str] = "function"
    given: ClassVar[str] = "arguments"
    """What the input is called, in the item and in a chat."""
    empty: ClassVar[str] = "{}"

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self._index: int | None = None
        self._sent = 0

    def open(self, item: JsonObject) -> Steps:
        """Give the call's id and name, and what else it has; some servers say the input at once."""
        self._index = self._progress.calls
        self._progress.calls += 1
        known = {"id", "type", "call_id", "name", "status", self.given}
        rest = {name: value for name, value in item.items() if name not in known and value is not None}
        call = {"index": self._index, "id": text(item, "call_id"), "type": self.kind}
        yield Step(
            {"tool_calls": [{**rest, **call, self.kind: {"name": text(item, "name"), self.given: ""}}]}
        )
        yield from self._give(_optional(item, self.given))

    def take(self, event: Event) -> Steps:
        """Give a piece of the input."""
        return self._give(event.delta or "")

    def close(self, item: JsonObject) -> Steps:
        """Give the rest of the input."""
        if self._index is None:
            yield from self.open(item)
        yield from self._give((_optional(item, self.given) or self.empty)[self._sent :])

    def _give(self, piece: str) -> Steps:
        if piece:
            self._sent += len(piece)
            call = {"index": self._index, self.kind: {self.given: piece}}
            yield Step({"tool_calls": [call]}, size(piece))


class CustomCall(ToolCall):
    """A call of a custom tool, whose input is any text."""

    kind = "custom"
    given = "input"
    empty = ""


Readers = Mapping[str, Callable[[Progress], Item]]

READERS: Readers = {
    "message": Message,
    "reasoning": Reasoning,
    "function_call": ToolCall,
    "custom_tool_call": CustomCall,
}
"""Type of an item → who reads it. Any other is an `Item`."""

ABOUT: Mapping[str, str] = {
    "response.output_text.delta": "message",
    "response.output_text.annotation.added": "message",
    "response.refusal.delta": "message",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "function_call",
    "response.custom_tool_call_input.delta": "custom_tool_call",
}
"""Events that are read → the type of the item that they are about, whether or not its beginning was told."""


def text(source: JsonObject, key: str) -> str:
    """Give a text of an item. Raises `MalformedResponse` where there is none."""
    value = source.get(key)
    if isinstance(value, str):
        return value
    raise MalformedResponse(f"An item of the answer has no text in `{key}`.")


def size(words: str) -> int:
    """Give the UTF-8 bytes of a text; half a surrogate pair counts as its escape."""
    return len(words.encode("utf-8", "backslashreplace"))


def _optional(source: JsonObject, key: str) -> str:
    return "" if source.get(key) is None else text(source, key)


def _logprob(told: JsonObject) -> JsonObject:
    """Give a token's log probability as a chat has it, where `bytes` and the alternatives are required."""
    others = objects(told.get("top_logprobs"), "the alternatives of a token")
    return {**_with_bytes(told), "top_logprobs": [_with_bytes(each) for each in others]}


def _with_bytes(told: JsonObject) -> JsonObject:
    if told.get("bytes") is not None:
        return told
    return {**told, "bytes": list(text(told, "token").encode("utf-8", "surrogatepass"))}


def _annotation(note: JsonObject, begins: int) -> JsonObject:
    """Give an annotation as a chat has it; those of files, which a chat does not know, in the same manner."""
    kind = text(note, "type")
    if kind not in {"url_citation", "citation"}:
        return {"type": kind, kind: {name: value for name, value in note.items() if name != "type"}}
    cited = {
        "start_index": begins + (whole_number(note.get("start_index")) or 0),
        "end_index": begins + (whole_number(note.get("end_index")) or 0),
        "title": _optional(note, "title"),
        "url": text(note, "url"),
    }
    return {"type": "url_citation", "url_citation": cited}
