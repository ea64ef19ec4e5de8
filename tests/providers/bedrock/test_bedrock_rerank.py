"""Rankings of Cohere's and Amazon's models at Bedrock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.bedrock import rerank
from providers.errors import MalformedResponse, RequestRejected, UnsupportedParameter
from providers.types import Call, Head, Operation, Target, Usage

COHERE, AMAZON = "cohere.rerank-v3-5:0", "amazon.rerank-v1:0"
ASKED: dict[str, Any] = {"query": "capital?", "documents": ["Berlin", {"text": "Paris"}], "top_n": 1}


def target(model: str = COHERE) -> Target:
    return Target("bedrock", "bedrock", "https://b.test", model)


def call(**body: Any) -> Call:
    return Call(Operation.RERANK, "m", {"model": "m", **ASKED, **body}, "abc")


def test_each_model_is_asked_as_its_maker_has_it() -> None:
    plain = {"query": "capital?", "documents": ["Berlin", "Paris"], "top_n": 1}
    for model, expected in ((COHERE, {**plain, "api_version": 2}), (AMAZON, plain)):
        made = rerank.build_request(call(return_documents=True), target(model))
        assert made.url == f"https://b.test/model/{model.replace(':', '%3A')}/invoke"
        assert isinstance(made.body, bytes)
        assert json.loads(made.body) == expected
    for body, model, param in (
        ({"rank_fields": ["title"]}, COHERE, "rank_fields"),
        ({"documents": [{"title": "x"}]}, COHERE, "documents[0]"),
        ({}, "amazon.nova-lite-v1:0", "model"),
    ):
        with pytest.raises(UnsupportedParameter) as caught:
            rerank.build_request(call(**body), target(model))
        assert caught.value.param == param


def test_answers_have_coheres_shape_and_count_searches() -> None:
    head, ranked = Head(200, {"x-amzn-requestid": "r-1"}), {"index": 1, "relevance_score": 0.5}
    body = json.dumps({"results": [ranked]}).encode()
    reply = rerank.parse_response(call(), target(), head, body)
    assert json.loads(reply.body) == {
        "id": "r-1",
        "results": [ranked],
        "meta": {"billed_units": {"search_units": 1}},
    }
    assert reply.usage == Usage(searches=1)
    told = rerank.parse_response(call(return_documents=True), target(), Head(200, {}), body)
    assert json.loads(told.body)["results"] == [{**ranked, "document": {"text": "Paris"}}]
    many = rerank.parse_response(call(documents=["x"] * 101), target(), head, body)
    assert many.usage == Usage(searches=2)
    for bad in (b"", b"{}", b'{"results":[{"index":0}]}'):
        with pytest.raises(MalformedResponse):
            rerank.parse_response(call(), target(), head, bad)
    with pytest.raises(RequestRejected, match="stream"):
        rerank.open_stream(call(), target(), head)
