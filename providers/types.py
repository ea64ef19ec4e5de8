"""The values that cross the line between the gateway and a dialect. All frozen.

Those of which a call makes several are structs: a frozen dataclass is made many times more slowly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from providers.files import Content as Content  # noqa: PLC0414 - given on from here, with the other values
from providers.files import InBase64 as InBase64  # noqa: PLC0414 - as above
from providers.files import Upload as Upload  # noqa: PLC0414 - as above
from providers.quirks import NO_QUIRKS
from providers.quirks import Quirks as Quirks  # noqa: PLC0414 - as above

Json = Any
"""Whatever `json.loads` may give. The one place where `Any` has a name."""

JsonObject = dict[str, Json]


class Operation(StrEnum):
    """What the client asks for; the value is the label in logs and metrics."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    IMAGE_GENERATION = "image_generation"
    IMAGE_EDIT = "image_edit"
    VIDEO = "video"
    """To submit one. The three below are about one that was submitted: `Call.job` names it."""
    VIDEO_STATUS = "video_status"
    VIDEO_CONTENT = "video_content"
    VIDEO_DELETE = "video_delete"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"
    TRANSLATION = "translation"
    MODERATION = "moderation"

    # As of the text that it equals. An enumeration's own is Python code, and tables are asked for every call.
    __hash__ = str.__hash__


class Delivery(StrEnum):
    """How an answer comes to the client."""

    WHOLE = "whole"
    """As one `Reply`."""
    EVENTS = "events"
    """As chat streams: each `Chunk.data` is the JSON of an event, `[DONE]` follows the last."""
    FRAMES = "frames"
    """As server-sent events that are passed on as they are: each `Chunk.data` is whole frames. There is no `[DONE]`."""
    BYTES = "bytes"
    """As a body of any other kind, while it arrives: `Chunk.data` is a piece of it."""


class Secret:
    """A text that must not be seen: its `repr`, `str` and JSON forms are `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself. Call it where the text leaves for its one destination."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a client, in the canonical (OpenAI) dialect."""

    operation: Operation
    model: str
    """The model as the client named it."""
    body: JsonObject
    """The request body, parsed. Treat it as read-only: every attempt starts from it."""
    id: str = ""
    """Fills `id` of an answer whose provider gives none. Without a prefix."""
    created: int = 0
    """Unix seconds. Fills `created` of an answer whose provider gives none."""
    session: str = ""
    """What the client calls the conversation that this is a part of. It is never sent on."""
    files: tuple[Upload, ...] = ()
    """What came with a form, whose other fields are in `body`: one given as `name[]`, or more than once, as a list."""
    job: str = ""
    """What was submitted before, as the provider names it."""

    @property
    def stream(self) -> bool:
        """Whether the client wants server-sent events."""
        if self.operation is Operation.SPEECH:
            return self.body.get("stream_format") == "sse"
        return self.body.get("stream") is True

    @property
    def several(self) -> bool:
        """Whether it asks for several things, each of which could be asked for alone."""
        given = self.body.get("input")
        return isinstance(given, list) and len(given) > 1

    @property
    def delivery(self) -> Delivery:
        """How the answer is to come to the client."""
        if self.stream:
            return Delivery.EVENTS if self.operation in _IN_WORDS else Delivery.FRAMES
        return Delivery.BYTES if self.operation in _AS_BYTES else Delivery.WHOLE

    @property
    def include_usage(self) -> bool:
        """Whether the client asked for the usage chunk at the end of a stream."""
        options = self.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True


_IN_WORDS = frozenset({Operation.CHAT, Operation.COMPLETIONS})
_AS_BYTES = frozenset({Operation.SPEECH, Operation.VIDEO_CONTENT})


@dataclass(frozen=True, slots=True)
class Target:
    """Provider, model and credential for one attempt."""

    provider: str
    dialect: str
    base_url: str
    """Without a slash at its end."""
    model: str
    """The model as the provider names it."""
    credential: Secret | None = field(default=None, repr=False)
    credential_position: int | None = None
    """Which of the provider's keys it is, by its place in the configuration."""
    quirks: Quirks = NO_QUIRKS
    rename: Mapping[str, str] = field(default_factory=dict)
    """Request fields this provider spells otherwise: ours → theirs."""
    drop: frozenset[str] = frozenset()
    """Request fields that the configuration says to leave out."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fixed extra request headers of the provider's row."""
    max_tokens: int | None = None
    """What to ask for where the dialect needs a number and the client gave none."""
    paths: Mapping[Operation, str] = field(default_factory=dict)
    """Operations that this provider has elsewhere than its dialect says."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Settings of the dialect's own, by name; each that it needs has a value."""

    def using(self, credential: Secret | None, position: int) -> Target:
        """Give the same target with this credential. Spelled out: `dataclasses.replace` takes several times as long."""
        return Target(
            self.provider,
            self.dialect,
            self.base_url,
            self.model,
            credential,
            position,
            self.quirks,
            self.rename,
            self.drop,
            self.headers,
            self.max_tokens,
            self.paths,
            self.options,
        )

    @property
    def name(self) -> str:
        """`provider/model`, as configuration, logs and response headers write it."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The one HTTP request that an attempt sends. Headers may hold a credential: not in `repr`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | tuple[bytes | Content | InBase64, ...] = field(default=b"", repr=False)
    """A tuple is sent piece by piece, one after the other, and not held; its `content-length` is the gateway's to add."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """Status and headers of an upstream's answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one call, in OpenAI's sense: the sums include the parts named below them."""

    input_tokens: int = 0
    """All of the prompt, cached parts included."""
    output_tokens: int = 0
    """All that was generated, reasoning included."""
    cached_tokens: int = 0
    """Part of the input: read from the provider's prompt cache."""
    cache_write_tokens: int = 0
    """Part of the input: written to the provider's prompt cache."""
    reasoning_tokens: int = 0
    """Part of the output."""
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    images: int = 0
    """Pictures that were made. This and what follows is billed by some beside tokens, or instead."""
    audio_seconds: float = 0.0
    """Of sound that was heard or made."""
    video_seconds: float = 0.0
    characters: int = 0
    """Of text that was spoken."""
    searches: int = 0
    """Units of searching or ranking."""
    billed: tuple[int, int] | None = None
    """Tokens of input and output that the provider's bill counts, where it does not count all of them."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A whole answer."""

    body: bytes
    """OpenAI-shaped JSON, or what `media` says."""
    usage: Usage | None
    model: str | None = None
    """The model that the provider says has answered."""
    media: str = "application/json"
    """The content type for the client."""
    job: str = ""
    """What the provider calls what was submitted. The gateway puts a name of its own into `id` of the body."""


BETWEEN = b"\n\ndata: "
"""What stands between the events of a chunk that has several."""


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """An event of a streamed answer, or several that came together. A struct, since there may be one for every token."""

    data: bytes
    """What `Delivery` says; for events OpenAI-shaped JSON on one line, of several with `BETWEEN` between.

    Empty: this is for the account only.
    """
    usage: Usage | None = None
    """What the provider says so far; the last one counts."""
    model: str | None = None
    text_bytes: int = 0
    """UTF-8 bytes of generated text in it, to estimate what an aborted call has produced."""
    media: str | None = None
    """The content type of an answer in bytes. Its first chunk has it."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a provider says is left of its limits. `reset_*` in seconds from now."""

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    reset_requests: float | None = None
    reset_tokens: float | None = None
