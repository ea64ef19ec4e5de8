"""What Converse answers, as far as it is acted on, and its tokens in OpenAI's terms.

Wire format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from providers.types import Json, JsonObject, Usage

Count = Annotated[int, msgspec.Meta(ge=0)]


class WireUsage(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens as Bedrock counts them: `inputTokens` leaves the cached parts out."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None

    def tokens(self) -> Usage:
        """Give the counts in OpenAI's sense."""
        read, written = self.cache_read_input_tokens or 0, self.cache_write_input_tokens or 0
        return Usage(
            input_tokens=self.input_tokens + read + written,
            output_tokens=self.output_tokens,
            cached_tokens=read,
            cache_write_tokens=written,
        )


class Message(msgspec.Struct, frozen=True):
    """What was said."""

    content: list[JsonObject]


class Output(msgspec.Struct, frozen=True):
    """What it is in."""

    message: Message


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """A whole answer."""

    output: Output
    stop_reason: str
    usage: WireUsage
    trace: Json = None
    additional_model_response_fields: Json = None


class BlockStart(msgspec.Struct, frozen=True, rename="camel"):
    """`contentBlockStart`."""

    content_block_index: int
    start: JsonObject


class BlockDelta(msgspec.Struct, frozen=True, rename="camel"):
    """`contentBlockDelta`."""

    content_block_index: int
    delta: JsonObject


class BlockStop(msgspec.Struct, frozen=True, rename="camel"):
    """`contentBlockStop`."""

    content_block_index: int


class MessageStop(msgspec.Struct, frozen=True, rename="camel"):
    """`messageStop`."""

    stop_reason: str
    additional_model_response_fields: Json = None


class Metadata(msgspec.Struct, frozen=True):
    """`metadata`, the last event."""

    usage: WireUsage = WireUsage()
    trace: Json = None


def extras(**found: Json) -> JsonObject:
    """Give what OpenAI has no name for and the client has asked for: it keeps Bedrock's."""
    return {name: value for name, value in found.items() if value is not None}
