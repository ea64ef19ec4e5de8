"""The recorded traffic under tests/golden, as cases: who, which operation, which bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from providers.adapter import Adapter, StreamDecoder
from providers.catalog import CATALOG
from providers.registry import DIALECTS, adapter_for
from providers.types import BETWEEN, Call, Chunk, Head, Operation, Secret, Target, Usage

GOLDEN = Path(__file__).parent.parent / "golden"
SECRET = "sk-this-must-never-be-seen"
CREATED = 1_795_161_600
OK = Head(200, {"content-type": "application/json"})

MODELS = {"bedrock": "cohere.embed-cohere.rerank-nova-canvas-some-model"}
"""Where the model's name decides how it is asked."""

_OPERATIONS = {
    "openai/completion_": Operation.COMPLETIONS,
    "openai/embeddings_": Operation.EMBEDDINGS,
    "mistral/embeddings_": Operation.EMBEDDINGS,
    "perplexity/embeddings_": Operation.EMBEDDINGS,
    "cohere/embeddings_": Operation.EMBEDDINGS,
    "ollama_native/embeddings_": Operation.EMBEDDINGS,
}
_CHOSEN = {"ollama_native": ("ollama", "ollama")}
"""Folder → a provider, and the dialect that one may choose for it."""
_DIALECTS = {"openai/responses_": "responses"}
"""Traffic of a provider in another dialect than its row's."""
_STREAM = re.compile(r"(?:chat_|completion_|responses_)?stream(?!.*(?:error|failed))\w*\.sse")
_ANSWER = re.compile(r"(?:chat|completion|messages|embeddings|responses|generate|converse)_response\w*\.json")
_ERROR = re.compile(r"error_(\d{3})\w*\.json")

WORDS = [
    "id", "object", "model", "created", "choices", "usage", "error", "index", "delta", "message",
    "content", "text", "role", "tool_calls", "function", "arguments", "name", "type", "finish_reason",
    "logprobs", "data", "embedding", "prompt_tokens", "completion_tokens", "reasoning", "code",
    "detail", "x_groq", "stop_reason", "content_block", "partial_json", "input_tokens",
    "output", "status", "item", "response", "summary", "annotations", "results",
    "details", "parts", "functionCall", "args", "finishReason", "promptFeedback", "blockReason",
    "usageMetadata", "promptTokenCount", "groundingMetadata", "groundingSupports", "logprobsResult",
]  # fmt: skip
"""Keys that mean something somewhere: hostile JSON made of them reaches further."""
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@dataclass(frozen=True)
class Recorded:
    """One recorded body of one provider."""

    provider: str
    operation: Operation
    name: str
    data: bytes
    status: int = 200
    exact: bool | None = None
    """In which lane to read it; None: as the catalogue says."""
    dialect: str | None = None
    """None: as the catalogue says."""

    @property
    def speaks(self) -> str:
        """The dialect it is in."""
        return self.dialect or CATALOG[self.provider].dialect

    @property
    def adapter(self) -> Adapter:
        adapter = adapter_for(self.speaks, self.operation)
        assert adapter is not None
        return adapter

    @property
    def head(self) -> Head:
        return Head(self.status, {})

    def target(self) -> Target:
        return target(self.provider, exact=self.exact)

    def call(self, **fields: object) -> Call:
        asked = {"encoding_format": "base64"} if "base64" in self.name else {}
        return call(self.operation, **asked, **fields)

    def open(self, *, include_usage: bool = False) -> StreamDecoder:
        options = {"stream_options": {"include_usage": True}} if include_usage else {}
        return self.adapter.open_stream(self.call(stream=True, **options), self.target(), OK)

    def __str__(self) -> str:
        lane = "" if self.exact is None else "-exact" if self.exact else "-clean"
        return f"{self.provider}/{self.name}{lane}"


def provider_of(dialect: str) -> str:
    """Give the first provider of the catalogue that speaks a dialect; one to be chosen has a provider of its name."""
    spoken = (row.name for row in CATALOG.values() if dialect in (row.dialect, *row.dialects.values()))
    return next(spoken, dialect)


def target(provider: str, *, exact: bool | None = None) -> Target:
    """Give a target as the catalogue describes the provider."""
    row = CATALOG[provider]
    quirks = row.quirks if exact is None else replace(row.quirks, exact=exact)
    return Target(
        provider=provider,
        dialect=row.dialect,
        base_url=row.base_url,
        model=MODELS.get(provider, "some-model"),
        credential=Secret(SECRET),
        quirks=quirks,
        rename=row.rename,
        drop=row.drop,
        headers=row.headers,
        max_tokens=row.max_tokens,
        paths=row.paths,
        options={name: option.default or "some" for name, option in DIALECTS[row.dialect].options.items()},
    )


def call(operation: Operation, **fields: object) -> Call:
    """Give a small valid call, with more fields."""
    say = {
        Operation.CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
        Operation.COMPLETIONS: {"prompt": "Hello"},
        Operation.EMBEDDINGS: {"input": ["Hello"]},
    }[operation]
    return Call(
        operation, "public-name", {"model": "public-name", **say, **fields}, id="abc", created=CREATED
    )


def streams() -> list[Recorded]:
    """Give every recorded stream that ends well; OpenAI's in both lanes."""
    return list(_cases(_STREAM))


def answers() -> list[Recorded]:
    """Give every recorded whole answer; OpenAI's in both lanes."""
    return list(_cases(_ANSWER))


def errors() -> list[Recorded]:
    """Give every recorded non-2xx body."""
    return list(_cases(_ERROR))


def read(decoder: StreamDecoder, pieces: Sequence[bytes]) -> list[Chunk]:
    """Give all chunks of a stream that arrives in these pieces, an event each: the first of several has the bytes of all."""
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    apart = []
    for chunk in [*chunks, *decoder.close()]:
        first, *others = chunk.data.split(BETWEEN)
        apart.append(msgspec.structs.replace(chunk, data=first))
        apart += [Chunk(other, None, chunk.model) for other in others]
    return apart


def told(chunks: Sequence[Chunk]) -> tuple[list[tuple[bytes, Usage | None, str | None]], int]:
    """Give what must be the same however a stream is split: its events, and the bytes of all its text."""
    return [(each.data, each.usage, each.model) for each in chunks], sum(each.text_bytes for each in chunks)


def _cases(pattern: re.Pattern[str]) -> Iterator[Recorded]:
    for path in sorted(GOLDEN.glob("*/*")):
        provider, chosen = _CHOSEN.get(path.parent.name, (path.parent.name, None))
        match = pattern.fullmatch(path.name)
        if match is None or provider not in CATALOG:
            continue
        start = f"{path.parent.name}/{path.name}"
        operation = next((o for prefix, o in _OPERATIONS.items() if start.startswith(prefix)), Operation.CHAT)
        status = int(match[1]) if pattern is _ERROR else 200
        chosen = chosen or next((d for prefix, d in _DIALECTS.items() if start.startswith(prefix)), None)
        case = Recorded(provider, operation, path.name, path.read_bytes(), status, dialect=chosen)
        if chosen is None and CATALOG[provider].quirks.exact:
            yield replace(case, exact=True)
            yield replace(case, exact=False)
        else:
            yield case
