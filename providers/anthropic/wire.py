"""What Anthropic answers, as far as it is acted on, and its tokens in OpenAI's terms.

Wire format: https://docs.anthropic.com/en/api/messages and …/en/docs/build-with-claude/streaming.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from providers.types import JsonObject, Usage

Count = Annotated[int, msgspec.Meta(ge=0)]


class OutputDetails(msgspec.Struct, frozen=True):
    """Parts of the output."""

    thinking_tokens: Count | None = None


class ServerTools(msgspec.Struct, frozen=True):
    """What the provider's own tools did, as far as it is billed."""

    web_search_requests: Count | None = None


class WireUsage(msgspec.Struct, frozen=True):
    """Tokens as Anthropic counts them: `input_tokens` leaves the cached parts out."""

    input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    output_tokens: Count | None = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None

    def updated(self, later: WireUsage) -> WireUsage:
        """Give the later counts, and these where the later ones are silent."""
        counts = {
            name: value for name in self.__struct_fields__ if (value := getattr(later, name)) is not None
        }
        return msgspec.structs.replace(self, **counts)

    def tokens(self) -> Usage:
        """Give the counts in OpenAI's sense."""
        written = self.cache_creation_input_tokens or 0
        read = self.cache_read_input_tokens or 0
        details = self.output_tokens_details
        return Usage(
            input_tokens=(self.input_tokens or 0) + written + read,
            output_tokens=self.output_tokens or 0,
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=(details.thinking_tokens or 0) if details else 0,
            searches=(self.server_tool_use.web_search_requests or 0) if self.server_tool_use else 0,
        )


class StopDetails(msgspec.Struct, frozen=True):
    """Why it stopped, beyond the reason."""

    type: str | None = None
    category: str | None = None
    explanation: str | None = None


class Ending(msgspec.Struct, frozen=True):
    """How an answer ended."""

    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class Message(msgspec.Struct, frozen=True):
    """A whole answer, or the start of a streamed one."""

    id: str
    model: str
    content: list[JsonObject]
    usage: WireUsage
    stop_reason: str | None = None
    stop_details: StopDetails | None = None

    @property
    def ending(self) -> Ending:
        """How it ended."""
        return Ending(self.stop_reason, self.stop_details)


class MessageStart(msgspec.Struct, frozen=True):
    """`message_start`."""

    message: Message


class BlockStart(msgspec.Struct, frozen=True):
    """`content_block_start`."""

    index: int
    content_block: JsonObject


class BlockDelta(msgspec.Struct, frozen=True):
    """`content_block_delta`."""

    index: int
    delta: JsonObject


class BlockStop(msgspec.Struct, frozen=True):
    """`content_block_stop`."""

    index: int


class MessageDelta(msgspec.Struct, frozen=True):
    """`message_delta`."""

    delta: Ending
    usage: WireUsage = WireUsage()


class MessageStop(msgspec.Struct, frozen=True):
    """`message_stop`."""


class ErrorEvent(msgspec.Struct, frozen=True):
    """`error`. What is in it is read as leniently as an error body."""

    error: object = None


def usage_json(usage: Usage) -> JsonObject:
    """Render tokens as OpenAI's `usage`."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        **({"server_tool_use": {"web_search_requests": usage.searches}} if usage.searches else {}),
    }
