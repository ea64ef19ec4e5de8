"""Embeddings: InvokeModel with the bodies of Amazon's Titan and of Cohere.

Wire formats: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and
…/model-parameters-embed.html.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from providers import batches, shape
from providers.adapter import StreamDecoder
from providers.batches import join
from providers.bedrock import address
from providers.bedrock.errors import parse_error, parse_limits
from providers.errors import MalformedResponse, RequestRejected, UnsupportedParameter
from providers.types import Call, Head, HttpRequest, Json, JsonObject, Reply, Target, Usage

__all__ = [
    "build_request",
    "join",
    "open_stream",
    "parse_error",
    "parse_limits",
    "parse_response",
    "split",
]

Vector = list[float]

_OPENAIS = frozenset({"input", "model", "dimensions", "encoding_format", "user"})
"""Fields that are translated or, `user`, change no vector. All others are the model's own, and travel untouched."""


class _Titan(msgspec.Struct, rename="camel"):
    embedding: Vector
    input_text_token_count: int = 0


class _ByType(msgspec.Struct):
    floats: list[Vector] = msgspec.field(name="float")


class _Cohere(msgspec.Struct):
    embeddings: _ByType | list[Vector]


class _Model(NamedTuple):
    most: int
    """Texts that one request may hold."""
    ask: Callable[[list[str], JsonObject], JsonObject]
    """Texts and OpenAI's other fields → body."""
    read: Callable[[Head, bytes], tuple[list[Vector], int]]
    """Answer → vectors and the tokens of the texts."""


def _ask_titan(texts: list[str], fields: JsonObject) -> JsonObject:
    if len(texts) != 1:
        raise UnsupportedParameter(
            "Titan at Bedrock takes one text a request. Send `input` as one text.", param="input"
        )
    given = {"dimensions": fields["dimensions"]} if fields.get("dimensions") is not None else {}
    return {"inputText": texts[0], **given}


def _read_titan(_head: Head, body: bytes) -> tuple[list[Vector], int]:
    answer = msgspec.json.decode(body, type=_Titan)
    return [answer.embedding], answer.input_text_token_count


def _ask_cohere(texts: list[str], fields: JsonObject) -> JsonObject:
    given = {"output_dimension": fields["dimensions"]} if fields.get("dimensions") is not None else {}
    # What a text is for has to be said, and OpenAI has no word for it.
    return {"texts": texts, "input_type": "search_document", "embedding_types": ["float"], **given}


def _read_cohere(head: Head, body: bytes) -> tuple[list[Vector], int]:
    found = msgspec.json.decode(body, type=_Cohere).embeddings
    counted = head.headers.get("x-amzn-bedrock-input-token-count", "")
    tokens = int(counted) if counted.isdecimal() and len(counted) < 16 else 0
    return found if isinstance(found, list) else found.floats, tokens


_MODELS: Mapping[str, _Model] = {
    # A part of the name → how such a model is asked.
    "titan-embed": _Model(1, _ask_titan, _read_titan),
    "cohere.embed": _Model(96, _ask_cohere, _read_cohere),
}


def split(call: Call, target: Target) -> Sequence[Call]:
    """Give the calls that one request each takes. Raises `RequestRejected` for more texts than a call may have."""
    return batches.split(call, _model(target).most)


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    fields = {target.rename.get(k, k): v for k, v in call.body.items() if k not in target.drop}
    if fields.get("encoding_format") not in (None, "float", "base64"):
        raise RequestRejected("`encoding_format` must be float or base64.", param="encoding_format")
    body = _model(target).ask(_texts(fields.get("input")), fields)
    own = {name: value for name, value in fields.items() if name not in _OPENAIS}
    return address.request(target, "invoke", {**body, **own})


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:
    """Read a 2xx body. Raises `MalformedResponse`."""
    try:
        vectors, tokens = _model(target).read(head, body)
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer does not hold embeddings.") from None
    encode = _base64 if call.body.get("encoding_format") == "base64" else list
    answer = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(vector)}
            for index, vector in enumerate(vectors)
        ],
        "model": target.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Reply(msgspec.json.encode(answer), Usage(input_tokens=tokens))


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise RequestRejected(
        "Embeddings cannot be streamed; leave `stream` out or set it to false.", param="stream"
    )


def _model(target: Target) -> _Model:
    name = target.model.lower()
    for part, model in _MODELS.items():
        if part in name:
            return model
    raise UnsupportedParameter(
        "Of the models at Bedrock, those of Titan and Cohere are asked for embeddings; this is none by its name.",
        param="model",
    )


def _texts(given: Json) -> list[str]:
    texts = [given] if isinstance(given, str) else shape.listing(given, "input")
    if any(isinstance(text, int | list) for text in texts):
        raise UnsupportedParameter("Bedrock cannot take `input` as tokens. Send texts.", param="input")
    return [shape.text(text, f"input[{i}]") for i, text in enumerate(texts)]


def _base64(vector: Vector) -> str:
    """Give 32-bit floats, little-endian, as OpenAI has them."""
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise MalformedResponse("The answer holds a number that no 32-bit float can be.") from None
