"""What an answer has shown of the work behind it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from providers.errors import ResponseTooLarge, StreamTruncated, UpstreamTimeout
from providers.types import Chunk, Reply, Usage

BYTES_PER_TOKEN = 4
"""Of generated text. Used only where the provider gave no count."""
MAY_BE_BILLED = (UpstreamTimeout, StreamTruncated, ResponseTooLarge)
"""After these the provider had begun to work, whatever came of it."""


@dataclass(slots=True)
class Tally:
    """What an answer has shown so far."""

    usage: Usage | None = None
    model: str | None = None
    text_bytes: int = 0
    uncounted_bytes: int = 0
    """Of text since the provider's count last grew: some count all along, some at the end alone."""

    @property
    def shows_work(self) -> bool:
        """Whether the provider has done something that it would bill."""
        return self.text_bytes > 0 or self.usage is not None

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Take what these chunks show."""
        for chunk in chunks:
            self.model = chunk.model or self.model
            self.text_bytes += chunk.text_bytes
            self.uncounted_bytes += chunk.text_bytes
            if chunk.usage is not None:
                if chunk.usage.output_tokens > (self.usage.output_tokens if self.usage else 0):
                    self.uncounted_bytes = 0
                self.usage = chunk.usage


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice] = []
    text: str = ""


def said_bytes(reply: Reply) -> int:
    """Give about how many bytes a whole answer has said. Only asked where its provider gave no count."""
    if reply.usage is not None:
        return 0
    if reply.media != "application/json":
        return len(reply.body)
    try:
        body = msgspec.json.decode(reply.body, type=_Body)
    except msgspec.MsgspecError:
        return 0
    return len(body.text.encode()) + sum(_said(choice) for choice in body.choices)


def _said(choice: _Choice) -> int:
    message = choice.message or _Message()
    texts = (choice.text, message.content, message.reasoning_content)
    calls = sum(len(bytes(call)) for call in message.tool_calls or ())
    return calls + sum(len(text.encode()) for text in texts if text)
