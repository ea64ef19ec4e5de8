"""What the embedded provider answers: request body → status, headers and the pieces of a body. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from providers.echo import others
from providers.echo.directives import Directives
from providers.echo.request import Chat, Completions, Embeddings, Refusal, read, texts_of
from providers.echo.samples import vector
from providers.echo.saying import MOST_ANSWERS, Saying, tokens_of
from providers.types import JsonObject

PIECE = 1_024
"""Bytes of sound that are sent at once."""
USUAL_DIMENSIONS = 8
MOST_NUMBERS = 1 << 18
"""Of all vectors of one answer together: they take some 100 ms to make."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send, and when."""

    status: int
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]
    directives: Directives = field(default_factory=Directives)
    breaks: bool = False
    """Whether the connection breaks after the last piece."""


def answer(path: str, body: JsonObject, method: str = "POST") -> Answer:
    """Answer a request to any operation's path. Total for JSON objects; a form's fields are one."""
    if about := others.job(method, path):
        return _made(about, Directives())
    if other := next((kind for ending, kind in others.KINDS.items() if path.endswith(ending)), None):
        return _beside_words(other, body)
    kind = next(kind for ending, kind in _KINDS if path.endswith(ending))
    try:
        asked = read(kind, body)
        told = asked.directives
        if told.status is not None:
            return _failure(told.status, "echo", f"echo was told to fail with {told.status}", told)
        if isinstance(asked, Embeddings):
            return _whole(_vectors(asked), told)
        said = Saying(asked, body.get("messages") or body.get("prompt"))
        return _streamed(said, told) if asked.stream else _whole(said.whole(), told)
    except Refusal as refusal:
        return _failure(400, refusal.param, str(refusal), Directives())


def _beside_words(kind: others.Kind, body: JsonObject) -> Answer:
    try:
        asked = read(kind, body)
        told = asked.directives
        if told.status is not None:
            return _failure(told.status, "echo", f"echo was told to fail with {told.status}", told)
        return _made(asked.made(), told)
    except Refusal as refusal:
        return _failure(400, refusal.param, str(refusal), Directives())


def _made(made: others.Made, told: Directives) -> Answer:
    if made.document is not None:
        return _whole(made.document, told)
    if made.events:
        pieces = tuple(b"event: %b\n%b" % (each["type"].encode(), _frame(each)) for each in made.events)
        return Answer(200, _EVENTS, pieces[: told.stop_after], told, breaks=told.stop_after is not None)
    pieces = tuple(made.content[at : at + PIECE] for at in range(0, len(made.content), PIECE))
    return Answer(
        200, {"content-type": made.media}, pieces[: told.stop_after], told, breaks=told.stop_after is not None
    )


_KINDS: tuple[tuple[str, type[Chat | Completions | Embeddings]], ...] = (
    ("/chat/completions", Chat),
    ("/completions", Completions),
    ("/embeddings", Embeddings),
)


def _vectors(asked: Embeddings) -> JsonObject:
    texts = texts_of(asked.input)
    dimensions = asked.dimensions or USUAL_DIMENSIONS
    if len(texts) > MOST_ANSWERS or len(texts) * dimensions > MOST_NUMBERS:
        raise Refusal(
            "input", f"`input` asks for more than {MOST_ANSWERS:,} vectors or {MOST_NUMBERS:,} numbers in all"
        )
    base64 = asked.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, dimensions, base64=base64)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(map(tokens_of, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}


def _streamed(said: Saying, told: Directives) -> Answer:
    pieces = tuple(map(_frame, said.events()))
    if told.stop_after is not None:
        return Answer(200, _EVENTS, pieces[: told.stop_after], told, breaks=True)
    if told.error_after is not None:
        failed = {"error": {"message": "echo was told to fail here", "type": "server_error", "code": None}}
        return Answer(200, _EVENTS, (*pieces[: told.error_after], _frame(failed)), told)
    return Answer(200, _EVENTS, (*pieces, b"data: [DONE]\n\n"), told)


def _whole(body: JsonObject, told: Directives) -> Answer:
    return Answer(200, _JSON, (msgspec.json.encode(body),), told, breaks=told.stop_after is not None)


def _failure(status: int, param: str | None, message: str, told: Directives) -> Answer:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": None}})
    wait = {} if told.retry_after is None else {"retry-after": f"{told.retry_after:g}"}
    return Answer(status, _JSON | wait, (body,), told)


_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream"}


def _frame(event: JsonObject) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(event)
