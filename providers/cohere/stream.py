"""A streamed answer: Cohere's events → OpenAI's chunks.

The role waits for the first delta, so that a stream that fails before it has said anything has sent
nothing, and the call can still go elsewhere. Whatever is a list in a delta has an `index` in each
item, counted from 0 over the whole answer: OpenAI's SDK joins lists by it.

Wire format: https://docs.cohere.com/reference/chat-stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from providers.cohere import wire
from providers.cohere.errors import reported
from providers.cohere.names import ours
from providers.cohere.response import finish_reason
from providers.errors import MalformedResponse, StreamTruncated
from providers.pieces import read_each
from providers.sse import Event, SseDecoder
from providers.types import Call, Chunk, Json, JsonObject, Target

_DONE = b"[DONE]"
_event = msgspec.json.Decoder(wire.Event)


class ChatStream:
    """Reads one stream."""

    def __init__(self, call: Call, target: Target) -> None:
        self._sse = SseDecoder()
        self._call = call
        self._model = target.model
        self._names = ours(call.body)
        self._id = f"chatcmpl-{call.id}"
        self._role_due = True
        self._calls: dict[int, int] = {}
        """Cohere's index of a tool call → ours."""
        self._argued: set[int] = set()
        self._thoughts: dict[int, list[str]] = {}
        """By index of the content that is open."""
        self._told: dict[str, int] = {}
        """How many items of a list the answer has so far."""
        self._ended = False

    @property
    def finished(self) -> bool:
        """Whether `message-end` has come."""
        return self._ended

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the error that an event reports, `MalformedResponse`."""
        return read_each(self._sse.feed(data), self._read)

    def close(self) -> Sequence[Chunk]:
        """Take the end of the stream. Raises `StreamTruncated` unless `message-end` came."""
        if not self._ended:
            raise StreamTruncated("The provider's stream ended before its last event.")
        return ()

    def _read(self, sent: Event) -> Sequence[Chunk]:
        data = sent.data
        if self._ended or not data.strip() or data.strip() == _DONE:
            return ()
        try:
            event = _event.decode(data)
        except (ValueError, RecursionError):
            raise MalformedResponse("An event of the provider's stream cannot be read.") from None
        if event.type is None:
            raise reported({"message": event.message}) if event.message else _unlike()
        handle = _EVENTS.get(event.type)
        return handle(self, event) if handle else ()

    def message_start(self, event: wire.Event) -> Sequence[Chunk]:
        """Keep what is the same in all chunks."""
        self._id = event.id or self._id
        return ()

    def content_start(self, event: wire.Event) -> Sequence[Chunk]:
        """Open a content, and give what it begins with."""
        part = _part(event)
        if part.type == "thinking":
            self._thoughts[event.index] = []
        return self._say(event, part)

    def content_delta(self, event: wire.Event) -> Sequence[Chunk]:
        """Give a piece of text or of thought."""
        return self._say(event, _part(event))

    def content_end(self, event: wire.Event) -> Sequence[Chunk]:
        """Give a thought whole, as Cohere wants it back."""
        thought = "".join(self._thoughts.pop(event.index, ()))
        block = {"type": "thinking", "thinking": thought}
        return (self._listed("thinking_blocks", block),) if thought else ()

    def tool_plan(self, event: wire.Event) -> Sequence[Chunk]:
        """Give a piece of the plan: for people, and as Cohere wants it back."""
        text = event.delta.message.tool_plan
        return (self._chunk({"reasoning_content": text, "tool_plan": text}, _size(text)),) if text else ()

    def tool_call_start(self, event: wire.Event) -> Sequence[Chunk]:
        """Give a call's id and name, and what there is of its arguments."""
        made = event.delta.message.tool_calls
        if not isinstance(made, wire.ToolCall) or made.function is None or made.function.name is None:
            raise MalformedResponse("A tool call has no name.")
        index = self._calls[event.index] = len(self._calls)
        name, begun = made.function.name, made.function.arguments or ""
        if begun:
            self._argued.add(index)
        call = {
            "index": index,
            "id": made.id or f"call_{self._call.id}_{index}",
            "type": "function",
            "function": {"name": self._names.get(name, name), "arguments": begun},
        }
        return (self._chunk({"tool_calls": [call]}, _size(begun)),)

    def tool_call_delta(self, event: wire.Event) -> Sequence[Chunk]:
        """Give a piece of a call's arguments."""
        made = event.delta.message.tool_calls
        if not isinstance(made, wire.ToolCall) or event.index not in self._calls:
            raise MalformedResponse("The provider's stream goes on with a tool call that is not open.")
        piece = (made.function and made.function.arguments) or ""
        return (self._argue(event.index, piece),) if piece else ()

    def tool_call_end(self, event: wire.Event) -> Sequence[Chunk]:
        """Give `{}` where there were no arguments."""
        without = event.index in self._calls and self._calls[event.index] not in self._argued
        return (self._argue(event.index, "{}"),) if without else ()

    def citation(self, event: wire.Event) -> Sequence[Chunk]:
        """Give where a piece of the answer comes from."""
        found = event.delta.message.citations
        return (self._listed("citations", found),) if isinstance(found, dict) else ()

    def message_end(self, event: wire.Event) -> Sequence[Chunk]:
        """Give the last chunks. Raises the error that the answer ended with."""
        delta = event.delta
        if delta.error:
            raise reported({"error": delta.error})
        finish = finish_reason(delta.finish_reason or "", calls=bool(self._calls))
        self._ended = True
        usage = delta.usage or wire.WireUsage()
        counts = usage.counts()
        chunks = [self._chunk({}, finish=finish)]
        if self._call.include_usage and counts:
            body = {**self._envelope([]), "usage": usage.shown()}
            return [*chunks, Chunk(msgspec.json.encode(body), counts)]
        return [*chunks, Chunk(b"", counts)] if counts else chunks

    def _say(self, event: wire.Event, part: wire.Part) -> Sequence[Chunk]:
        likely = wire.logprobs([event.logprobs]) if event.logprobs else None
        if part.thinking:
            self._thoughts.setdefault(event.index, []).append(part.thinking)
            return (self._chunk({"reasoning_content": part.thinking}, _size(part.thinking), likely),)
        if part.text:
            return (self._chunk({"content": part.text}, _size(part.text), likely),)
        return ()

    def _argue(self, index: int, piece: str) -> Chunk:
        ours = self._calls[index]
        self._argued.add(ours)
        return self._chunk({"tool_calls": [{"index": ours, "function": {"arguments": piece}}]}, _size(piece))

    def _listed(self, name: str, item: JsonObject) -> Chunk:
        index = self._told.get(name, 0)
        self._told[name] = index + 1
        return self._chunk({name: [{"index": index, **item}]})

    def _chunk(
        self, delta: JsonObject, text_bytes: int = 0, logprobs: Json = None, finish: str | None = None
    ) -> Chunk:
        if self._role_due:
            self._role_due = False
            delta = {"role": "assistant", **delta}
        body = self._envelope([{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}])
        if self._call.include_usage:
            body["usage"] = None
        return Chunk(msgspec.json.encode(body), None, None, text_bytes)

    def _envelope(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._call.created,
            "model": self._model,
            "choices": choices,
        }


def _part(event: wire.Event) -> wire.Part:
    part = event.delta.message.content
    return part if isinstance(part, wire.Part) else wire.Part()


def _size(text: str) -> int:
    return len(text.encode())


def _unlike() -> MalformedResponse:
    return MalformedResponse("An event of the provider's stream says not what it is.")


_EVENTS: Mapping[str, Callable[[ChatStream, wire.Event], Sequence[Chunk]]] = {
    # `debug` and `citation-end` are not here: they say nothing, like every event that is not known.
    "message-start": ChatStream.message_start,
    "content-start": ChatStream.content_start,
    "content-delta": ChatStream.content_delta,
    "content-end": ChatStream.content_end,
    "tool-plan-delta": ChatStream.tool_plan,
    "tool-call-start": ChatStream.tool_call_start,
    "tool-call-delta": ChatStream.tool_call_delta,
    "tool-call-end": ChatStream.tool_call_end,
    "citation-start": ChatStream.citation,
    "message-end": ChatStream.message_end,
}
