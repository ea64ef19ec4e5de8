"""A streamed answer: Gemini's events → OpenAI's chunks.

There is no last event. Each says how a candidate ended if it has, some models say it in every event,
and the connection closes: so the ending waits for the end of the bytes. Wire formats:
https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent and
https://platform.openai.com/docs/api-reference/chat-streaming/streaming.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from providers.errors import MalformedResponse, StreamTruncated
from providers.gemini import wire
from providers.gemini.choice import Choice, Step
from providers.gemini.errors import reported
from providers.pieces import read_each
from providers.sse import Event, SseDecoder
from providers.types import Call, Chunk, JsonObject, Target, Usage

EVENT_LIMIT = 32 << 20
"""Bytes of one event: a picture comes in one, and those of 4096 pixels are some 20 MB in base64."""


class ChatStream:
    """Reads one stream."""

    def __init__(self, call: Call, target: Target) -> None:
        self._sse = SseDecoder(line_limit=EVENT_LIMIT, event_limit=EVENT_LIMIT)
        self._call = call
        self._include_usage = call.include_usage
        self._usual_model = target.model
        self._id: str | None = None
        self._model: str | None = None
        self._choices: dict[int, Choice] = {}
        self._introduced: set[int] = set()
        self._wire_usage = wire.WireUsage()
        self._usage: Usage | None = None

    @property
    def finished(self) -> bool:
        """Never before the end of the bytes."""
        return False

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes. Raises the error that an event reports, `MalformedResponse`."""
        return read_each(self._sse.feed(data), self._read)

    def close(self) -> Sequence[Chunk]:
        """Take the end of the bytes. Raises `StreamTruncated` unless every candidate has ended."""
        if not self._choices or not all(choice.ended for choice in self._choices.values()):
            raise StreamTruncated("The provider's stream broke off before its end.")
        return [*self._endings(), *self._totals()]

    def _read(self, sent: Event) -> Sequence[Chunk]:
        data = sent.data
        try:
            answer = wire.ANSWER.decode(data)
        except (ValueError, RecursionError):
            raise MalformedResponse("An event of the provider's stream cannot be read.") from None
        if answer.error is not None:
            raise reported(answer.error)
        self._id = self._id or answer.response_id
        self._model = self._model or answer.model_version
        if answer.usage_metadata is not None:
            self._wire_usage = self._wire_usage.updated(answer.usage_metadata)
            self._usage = self._wire_usage.tokens()
        for candidate in answer.candidates or ():
            self._choice(candidate.index)
        if answer.prompt_feedback and answer.prompt_feedback.block_reason and not self._choices:
            self._choice(0).block(answer.prompt_feedback)
        return self._said(answer) or self._account(answer)

    def _choice(self, index: int) -> Choice:
        if index not in self._choices:
            self._choices[index] = Choice(index, self._call)
        return self._choices[index]

    def _said(self, answer: wire.Answer) -> Sequence[Chunk]:
        steps = [(each.index, self._choices[each.index].take(each)) for each in answer.candidates or ()]
        return [self._chunk(index, step, None) for index, step in steps if step.delta or step.logprobs]

    def _account(self, answer: wire.Answer) -> Sequence[Chunk]:
        told = answer.usage_metadata is not None and self._usage is not None
        return (Chunk(b"", self._usage, self._model),) if told else ()

    def _endings(self) -> Iterator[Chunk]:
        for index in sorted(self._choices):
            delta, reason = self._choices[index].end()
            yield self._chunk(index, Step(delta), reason)

    def _totals(self) -> Iterator[Chunk]:
        if self._include_usage and self._usage is not None:
            body = {**self._envelope([]), "usage": wire.usage_json(self._usage)}
            yield Chunk(_encoded(body), self._usage, self._model)

    def _chunk(self, index: int, step: Step, finish: str | None) -> Chunk:
        delta = step.delta
        if index not in self._introduced:
            self._introduced.add(index)
            delta = {"role": "assistant", **delta}
        choice = {"index": index, "delta": delta, "logprobs": step.logprobs, "finish_reason": finish}
        body = self._envelope([choice])
        if self._include_usage:
            body["usage"] = None
        return Chunk(_encoded(body), self._usage, self._model, step.text_bytes)

    def _envelope(self, choices: list[JsonObject]) -> JsonObject:
        return {
            "id": self._id or f"chatcmpl-{self._call.id}",
            "object": "chat.completion.chunk",
            "created": self._call.created,
            "model": self._model or self._usual_model,
            "choices": choices,
        }


def _encoded(body: JsonObject) -> bytes:
    try:
        return msgspec.json.encode(body)
    except RecursionError:
        raise MalformedResponse("An event of the provider's stream is nested too deeply.") from None
