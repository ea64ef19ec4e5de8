"""One choice of a stream, from its first piece to its last."""

from __future__ import annotations

from providers.errors import MalformedResponse
from providers.openai import finish, message
from providers.openai.calls import ToolCalls
from providers.openai.wire import objects
from providers.types import Json, JsonObject

_TEXTS = ("content", "reasoning_content", "refusal")
_SAID_LATER = ("content_filter_results", "content_filter_offsets")
"""What Azure may say of a choice that has ended (https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming)."""


class Choice:
    """Makes the pieces of one choice clean: what may come once comes once, and nothing after the end."""

    def __init__(self, index: int, spare_id: str, *, in_delta: bool) -> None:
        self._index = index
        self._in_delta = in_delta
        self._calls = ToolCalls(spare_id)
        self._begun = False
        self.ended = False

    def clean(self, raw: JsonObject) -> tuple[JsonObject, int] | None:
        """Give one piece and the bytes of text in it; None for a repeated ending.

        Raises `MalformedResponse`, or the error that the finish reason stands for.
        """
        clean = {**raw, "index": self._index}
        size = self._delta(clean) if self._in_delta else self._text(clean)
        reason = finish.reason(raw.get("finish_reason"), calls=bool(self._calls))
        if self.ended and not size and not any(raw.get(name) for name in _SAID_LATER):
            # OpenRouter says the end again in its usage event.
            return None
        clean["finish_reason"] = None if self.ended else reason
        self.ended = self.ended or reason is not None
        return clean, size

    def _delta(self, clean: JsonObject) -> int:
        raw = clean.get("delta")
        if raw is not None and not isinstance(raw, dict):
            raise MalformedResponse("a delta is not an object")
        delta = message.clean(raw or {})
        # Clients that join the pieces would read "assistantassistant".
        delta.pop("role", None)
        if not self._begun:
            delta = {"role": "assistant", **delta}
            self._begun = True
        if "tool_calls" in delta:
            delta["tool_calls"] = [
                self._calls.clean(c) for c in objects(delta["tool_calls"], "the list of tool calls")
            ]
        clean["delta"] = delta
        if "logprobs" in clean:
            clean["logprobs"] = message.logprobs(clean["logprobs"])
        return _size(delta)

    def _text(self, clean: JsonObject) -> int:
        text = clean.get("text")
        if text is not None and not isinstance(text, str):
            raise MalformedResponse("the text of a choice is not a text")
        clean["text"] = text or ""
        return _bytes(text)


def _size(delta: JsonObject) -> int:
    size = sum(_bytes(delta.get(name)) for name in _TEXTS)
    for call in delta.get("tool_calls", ()):
        size += _arguments(call.get("function"))
    return size + _arguments(delta.get("function_call"))


def _arguments(function: Json) -> int:
    return _bytes(function.get("arguments")) if isinstance(function, dict) else 0


def _bytes(text: Json) -> int:
    return len(text.encode()) if isinstance(text, str) else 0
