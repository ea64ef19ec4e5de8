"""The two ways to read an event of a stream: as it is, or made clean. Both account alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from providers.openai import errors, report, usage, wire
from providers.openai.choices import Choice
from providers.openai.response import unlike
from providers.types import BETWEEN, Call, Chunk, Json, JsonObject, Target, Usage


class Lane(Protocol):
    """Reads the events of one stream."""

    def read(self, data: bytes) -> Chunk | None:
        """Read one event; None where nothing is left of it. Raises the `UpstreamError` that it reports or is."""
        ...

    def read_together(self, events: Sequence[bytes], /) -> tuple[Chunk | None, int]:
        """Read those at the begin that can pass as they are, at once, and say how many; the rest is to be read one by one."""
        ...

    def end(self) -> Sequence[Chunk]:
        """Give what comes after the last event."""
        ...

    def began(self) -> bool:
        """Whether there was any of an answer."""
        ...

    def complete(self) -> bool:
        """Whether there was an answer and all of it has ended."""
        ...


class _Function(msgspec.Struct, gc=False):
    arguments: Json = None


class _Call(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: Json = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Event(msgspec.Struct, gc=False):
    choices: list[_Choice]
    usage: Json = None
    model: Json = None
    error: Json = None


_event = msgspec.json.Decoder(_Event)


class ExactLane:
    """Passes each event's bytes on, reading no more of them than the account and the end need."""

    def __init__(self, call: Call, target: Target, shape: wire.Shape) -> None:
        self._include_usage = call.include_usage
        self._quirks = target.quirks
        self._delta = shape.message is not None
        self._open: set[int] = set()
        self._ended: set[int] = set()

    def read(self, data: bytes) -> Chunk | None:
        """Read one event. Raises what it reports, or `MalformedResponse`."""
        try:
            event = _event.decode(data)
        except wire.UNREADABLE as error:
            raise unlike(data) from error
        if event.error:
            raise unlike(data)
        size = sum([self._account(choice) for choice in event.choices])
        counts = usage.read(event.usage, self._quirks) if event.usage else None
        account_only = counts is not None and not event.choices and not self._include_usage
        # JSON allows line feeds between its words only, and an event that goes on must be one line.
        line = b"" if account_only else data.replace(b"\n", b" ")
        return Chunk(line, counts, wire.text_or_none(event.model), size)

    def read_together(self, events: Sequence[bytes]) -> tuple[Chunk | None, int]:
        """Read the events up to the first that tells of usage or an error; none where one is wrong."""
        try:
            # A line each, and as many as there are: so none can hide in another.
            read = _event.decode_lines(b"\n".join(events))
        except wire.UNREADABLE:
            return None, 0
        if len(read) != len(events):
            return None, 0
        # Most tell of their usage in the last event.
        many = next((index for index, event in enumerate(read) if event.usage or event.error), len(read))
        if not many:
            return None, 0
        del read[many:]
        size = sum([self._account(choice) for event in read for choice in event.choices])
        return Chunk(BETWEEN.join(events[:many]), None, _last_model(read), size), many

    def _account(self, choice: _Choice) -> int:
        """Note a choice, and give the bytes that it says."""
        (self._ended if choice.finish_reason else self._open).add(choice.index)
        if not self._delta:
            return _bytes(choice.text)
        delta = choice.delta
        if delta is None:
            return 0
        content = delta.content
        if content and not (
            delta.reasoning_content
            or delta.reasoning
            or delta.refusal
            or delta.tool_calls
            or delta.function_call
        ):
            # What nearly all are.
            return len(content) if content.isascii() else len(content.encode())
        return _size(delta)

    def end(self) -> Sequence[Chunk]:
        """Give nothing: all has been passed on."""
        return ()

    def began(self) -> bool:
        """Whether any choice has come."""
        return bool(self._open or self._ended)

    def complete(self) -> bool:
        """Whether each choice that began has ended."""
        return bool(self._ended) and self._open <= self._ended


class CleanLane:
    """Rewrites each event into one that every OpenAI client can read."""

    def __init__(self, call: Call, target: Target, shape: wire.Shape) -> None:
        self._call = call
        self._target = target
        self._shape = shape
        self._choices: dict[int, Choice] = {}
        self._usage_event: JsonObject | None = None

    def read(self, data: bytes) -> Chunk | None:
        """Read one event. Raises what it reports, or `MalformedResponse`."""
        return self.take(wire.decode(data, "an event"), data)

    def take(self, event: Json, data: bytes) -> Chunk | None:
        """Read one event that is decoded from `data` already. Raises as `read` does."""
        if not isinstance(event, dict) or report.is_error(event):
            raise unlike(data)
        model = wire.text_or_none(event.get("model"))
        wire.fill_envelope(event, self._call, self._target.model, self._shape, chunk=True)
        counts = self._account(event)
        choices = [*self._read_choices(wire.objects(event.get("choices"), "the list of choices"))]
        if not choices:
            return None if counts is None else Chunk(b"", counts, model)
        event["choices"] = [clean for clean, _ in choices]
        if self._call.include_usage:
            event["usage"] = None
        line = wire.encode_answer(event, "an event")
        return Chunk(line, counts, model, sum(size for _, size in choices))

    def read_together(self, _events: Sequence[bytes]) -> tuple[Chunk | None, int]:
        """Read none so: each is rewritten."""
        return None, 0

    def end(self) -> Sequence[Chunk]:
        """Give the usage event, if the client asked for it."""
        if self._usage_event is None or not self._call.include_usage:
            return ()
        event, self._usage_event = self._usage_event, None
        return (Chunk(wire.encode_answer(event, "an event")),)

    def began(self) -> bool:
        """Whether any choice has come."""
        return bool(self._choices)

    def complete(self) -> bool:
        """Whether each choice that began has ended."""
        return bool(self._choices) and all(choice.ended for choice in self._choices.values())

    def _account(self, event: JsonObject) -> Usage | None:
        raw = event.pop("usage", None)
        if raw is None and isinstance(groq := event.get("x_groq"), dict):
            # Groq's older servers tell it there alone.
            raw = groq.get("usage")
        counts = usage.read(raw, self._target.quirks)
        if counts is not None:
            # Some tell it in each event, most in the last: it goes out once, in an event of its own.
            self._usage_event = {**event, "choices": [], "usage": usage.normalised(raw, counts)}
        return counts

    def _read_choices(self, choices: list[JsonObject]) -> Iterable[tuple[JsonObject, int]]:
        for position, raw in enumerate(choices):
            if raw.get("error"):
                raise errors.under_success(raw)
            index = wire.whole_number(raw.get("index"))
            index = position if index is None else index
            choice = self._choices.get(index)
            if choice is None:
                spare_id = f"call_{self._call.id}_{index}"
                choice = self._choices[index] = Choice(
                    index, spare_id, in_delta=self._shape.message is not None
                )
            if (clean := choice.clean(raw)) is not None:
                yield clean


def _last_model(events: list[_Event]) -> str | None:
    for event in reversed(events):
        if model := wire.text_or_none(event.model):
            return model
    return None


def _size(delta: _Delta) -> int:
    reasoning = delta.reasoning_content or (delta.reasoning if isinstance(delta.reasoning, str) else None)
    size = _bytes(delta.content) + _bytes(reasoning) + _bytes(delta.refusal)
    for call in delta.tool_calls or ():
        size += _arguments(call.function)
    return size + _arguments(delta.function_call)


def _arguments(function: _Function | None) -> int:
    return _bytes(function.arguments) if function is not None and isinstance(function.arguments, str) else 0


def _bytes(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode())
