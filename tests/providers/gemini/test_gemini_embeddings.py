"""Embeddings over Gemini's batches and Vertex's predictions."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from providers.adapter import Adapter
from providers.errors import MalformedResponse, RequestRejected, ServerFault, UnsupportedParameter
from providers.gemini import embeddings as gemini
from providers.types import Call, Head, Operation, Secret, Target, Usage
from providers.vertex import embeddings as vertex

GOLDEN = Path(__file__).parents[2] / "golden" / "gemini"
OPTIONS = {"project": "p", "location": "global"}
MODEL = "gemini-embedding-001"
GEMINI = Target("gemini", "gemini", "https://g.test/v1beta", MODEL, Secret("AIza-secret"))
VERTEX = Target("vertex", "vertex", "https://v.test/v1", MODEL, Secret("ya29.secret"), options=OPTIONS)
PREDICTED = {"predictions": [{"embeddings": {"values": [0.6, 0.8], "statistics": {"token_count": 3}}}]}


def call(**body: Any) -> Call:
    return Call(Operation.EMBEDDINGS, "m", {"input": ["hello", "world"], **body})


def sent(adapter: Adapter, target: Target, **body: Any) -> Any:
    return json.loads(adapter.build_request(call(**body), target).body)


def read(adapter: Adapter, target: Target, answer: Any, **body: Any) -> tuple[Any, Usage | None]:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    reply = adapter.parse_response(call(**body), target, Head(200, {}), data)
    return json.loads(reply.body), reply.usage


def test_golden_batch() -> None:
    request = gemini.build_request(call(encoding_format="float"), GEMINI)
    assert request.url == f"https://g.test/v1beta/models/{MODEL}:batchEmbedContents"
    assert json.loads(request.body) == json.loads((GOLDEN / "batch_embed_request.json").read_text())
    one = sent(gemini, GEMINI, input="hello", dimensions=4, taskType="RETRIEVAL_DOCUMENT")
    assert one == {"requests": [json.loads((GOLDEN / "embed_request.json").read_text())]}
    body, usage = read(gemini, GEMINI, (GOLDEN / "batch_embed_response.json").read_bytes())
    assert body == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.013, -0.021, 0.055, 0.001]},
            {"object": "embedding", "index": 1, "embedding": [0.1, 0.2, -0.3, 0.4]},
        ],
        "model": MODEL,
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }
    assert usage is None, "nobody has counted"


def test_predictions() -> None:
    request = vertex.build_request(call(task_type="CLUSTERING", dimensions=2), VERTEX)
    place = "projects/p/locations/global/publishers/google/models"
    assert request.url == f"https://v.test/v1/{place}/{MODEL}:predict"
    assert dict(request.headers)["authorization"] == "Bearer ya29.secret"
    assert json.loads(request.body) == {
        "instances": [
            {"content": "hello", "task_type": "CLUSTERING"},
            {"content": "world", "task_type": "CLUSTERING"},
        ],
        "parameters": {"autoTruncate": False, "outputDimensionality": 2},
    }
    body, usage = read(vertex, VERTEX, PREDICTED)
    assert body["data"] == [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]
    assert usage == Usage(input_tokens=3)
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_base64_and_unit_length_of_shortened_vectors() -> None:
    for adapter, target, answer in (
        (gemini, GEMINI, {"embeddings": [{"values": [3, 4]}], "usageMetadata": {"promptTokenCount": 2}}),
        (vertex, VERTEX, {"predictions": [{"embeddings": {"values": [3.0, 4.0]}}]}),
    ):
        body, _ = read(adapter, target, answer, dimensions=2, encoding_format="base64")
        packed = base64.b64decode(body["data"][0]["embedding"])
        assert struct.unpack("<2f", packed) == pytest.approx((0.6, 0.8))
        assert read(adapter, target, answer)[0]["data"][0]["embedding"] == [3, 4]
        with pytest.raises(MalformedResponse):
            read(adapter, target, json.dumps(answer).replace("3", "1e300").encode(), encoding_format="base64")


def test_refusals() -> None:
    for adapter, target in ((gemini, GEMINI), (vertex, VERTEX)):
        for body, param in (
            ({"input": [[1, 2]]}, "input"),
            ({"input": [1, 2]}, "input"),
        ):
            with pytest.raises(UnsupportedParameter) as caught:
                sent(adapter, target, **body)
            assert caught.value.param == param
        assert sent(adapter, target, user="u") == sent(adapter, target)
        for body in ({"input": None}, {"input": [None]}, {"encoding_format": ["x"]}):
            with pytest.raises(RequestRejected):
                sent(adapter, target, **body)
        with pytest.raises(RequestRejected):
            adapter.open_stream(call(stream=True), target, Head(200, {}))
        with pytest.raises(ServerFault):
            read(adapter, target, {"error": {"code": 500, "message": "x"}})
        with pytest.raises(MalformedResponse):
            read(adapter, target, {})
