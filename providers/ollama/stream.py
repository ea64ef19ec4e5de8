"""A streamed answer: Ollama's lines → OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from providers.errors import MalformedResponse, StreamTruncated
from providers.lines import LineDecoder
from providers.ollama import wire
from providers.ollama.errors import reported
from providers.pieces import read_each
from providers.types import Call, Chunk, Json, JsonObject, Target


class ChatStream:
    """Reads one stream. Its end is the line that says `done`."""

    def __init__(self, call: Call, target: Target) -> None:
        self._lines = LineDecoder()
        self._call = call
        self._model = target.model
        self._role_due = True
        self._calls = 0
        self._done = False

    @property
    def finished(self) -> bool:
        """Whether the last line has come."""
        return self._done

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the error that a line reports, `MalformedResponse`."""
        return read_each(self._lines.feed(data), self._read)

    def close(self) -> Sequence[Chunk]:
        """Take the end of the stream, whose last line may lack its end. Raises `StreamTruncated` where it came too early."""
        if self._done:
            return ()
        with suppress(MalformedResponse):
            chunks = self._read(self._lines.rest)
            if self._done:
                return chunks
        raise StreamTruncated("The provider's stream ended before its last line.")

    def _read(self, line: bytes) -> Sequence[Chunk]:
        if self._done:
            return ()
        answer = wire.read(line)
        if answer.error:
            raise reported(msgspec.json.decode(line))
        self._model = answer.model or self._model
        chunks = list(self._said(answer.message or wire.Message(), wire.logprobs(answer.logprobs)))
        if not answer.done:
            return chunks
        self._done = True
        finish = wire.finish_reason(answer.done_reason, calls=self._calls > 0)
        return [*chunks, self._chunk({}, finish=finish), *self._account(answer)]

    def _said(self, message: wire.Message, logprobs: Json) -> Sequence[Chunk]:
        found: list[tuple[JsonObject, str]] = []
        if message.thinking:
            found.append(({"reasoning_content": message.thinking}, message.thinking))
        if message.content:
            found.append(({"content": message.content}, message.content))
        chunks = [self._chunk(delta, len(text.encode()), logprobs=logprobs) for delta, text in found]
        if message.tool_calls:
            calls = wire.tool_calls(message.tool_calls, self._calls, self._call.id)
            numbered = [{"index": number, **call} for number, call in enumerate(calls, self._calls)]
            self._calls += len(calls)
            size = sum(len(call["function"]["arguments"].encode()) for call in calls)
            chunks.append(self._chunk({"tool_calls": numbered}, size))
        return chunks

    def _account(self, answer: wire.Answer) -> Sequence[Chunk]:
        counts = answer.counts()
        if counts is None:
            return ()
        if not self._call.include_usage:
            return (Chunk(b"", counts, self._model),)
        body = {**self._envelope([]), "usage": wire.usage_json(counts)}
        return (Chunk(msgspec.json.encode(body), counts, self._model),)

    def _chunk(
        self, delta: JsonObject, text_bytes: int = 0, *, logprobs: Json = None, finish: str | None = None
    ) -> Chunk:
        if self._role_due:
            self._role_due = False
            delta = {"role": "assistant", **delta}
        body = self._envelope([{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}])
        if self._call.include_usage:
            body["usage"] = None
        return Chunk(msgspec.json.encode(body), None, self._model, text_bytes)

    def _envelope(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": f"chatcmpl-{self._call.id}",
            "object": "chat.completion.chunk",
            "created": self._call.created,
            "model": self._model,
            "choices": choices,
        }
