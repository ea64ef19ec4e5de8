"""Embeddings of Titan's and Cohere's models at Bedrock."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from providers.bedrock import embeddings
from providers.errors import MalformedResponse, RequestRejected, UnsupportedParameter
from providers.types import Call, Head, Operation, Target

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"


def target(model: str) -> Target:
    return Target("bedrock", "bedrock", "https://b.test", model)


def call(**body: Any) -> Call:
    return Call(Operation.EMBEDDINGS, "m", {"model": "m", **body})


def asked(model: str, **body: Any) -> Any:
    return json.loads(embeddings.build_request(call(**body), target(model)).body)


def test_requests() -> None:
    made = embeddings.build_request(call(input="Hi"), target(TITAN))
    assert made.url == "https://b.test/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert asked(TITAN, input="Hi") == {"inputText": "Hi"}
    assert asked(TITAN, input=["Hi"], dimensions=256, normalize=False, user="u", encoding_format="base64") == {
        "inputText": "Hi", "dimensions": 256, "normalize": False
    }  # fmt: skip
    cohere = {"texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]}
    assert asked(COHERE, input=["a", "b"]) == cohere
    assert asked(f"us.{COHERE}", input="a", dimensions=512, input_type="search_query") == {
        **cohere, "texts": ["a"], "output_dimension": 512, "input_type": "search_query"
    }  # fmt: skip


def test_what_cannot_be_taken_is_refused() -> None:
    for model, body, kind, param in [
        (TITAN, {"input": ["a", "b"]}, UnsupportedParameter, "input"),
        (COHERE, {"input": [1, 2]}, UnsupportedParameter, "input"),
        (COHERE, {"input": [[1]]}, UnsupportedParameter, "input"),
        (COHERE, {"input": None}, RequestRejected, "input"),
        (COHERE, {"input": "a", "encoding_format": "x"}, RequestRejected, "encoding_format"),
        ("amazon.nova-embed", {"input": "a"}, UnsupportedParameter, "model"),
    ]:
        with pytest.raises(kind) as caught:
            asked(model, **body)
        assert (type(caught.value), caught.value.param) == (kind, param)


def test_answers() -> None:
    head = Head(200, {"x-amzn-bedrock-input-token-count": "4"})
    for model, answer, tokens, vectors in [
        (TITAN, {"embedding": [0.5, -1], "inputTextTokenCount": 3}, 3, [[0.5, -1.0]]),
        (COHERE, {"embeddings": [[0.5], [1]], "id": "x"}, 4, [[0.5], [1.0]]),
        (COHERE, {"embeddings": {"float": [[0.5], [1]]}}, 4, [[0.5], [1.0]]),
    ]:
        body = json.dumps(answer).encode()
        reply = embeddings.parse_response(call(), target(model), head, body)
        said = json.loads(reply.body)
        assert [item["embedding"] for item in said["data"]] == vectors
        assert [item["index"] for item in said["data"]] == list(range(len(vectors)))
        assert said["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
        assert reply.usage
        assert reply.usage.input_tokens == tokens
        packed = embeddings.parse_response(call(encoding_format="base64"), target(model), head, body)
        raw = base64.b64decode(json.loads(packed.body)["data"][0]["embedding"])
        assert list(struct.unpack(f"<{len(raw) // 4}f", raw)) == vectors[0]
    for body in (b"{}", b'{"embedding":["x"]}', b"", b'{"embedding":[1e300]}'):
        with pytest.raises(MalformedResponse):
            embeddings.parse_response(call(encoding_format="base64"), target(TITAN), head, body)
