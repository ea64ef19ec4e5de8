"""Embeddings of more texts than one request takes: every adapter that splits them gives the answer of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from providers.adapter import Splitting
from providers.errors import MalformedResponse, RequestRejected, UpstreamError
from providers.registry import DIALECTS, adapter_for
from providers.types import Call, Head, Operation, Reply, Target, Usage
from tests.contract import recorded

TITAN = "amazon.titan-embed-text-v2:0"
MOST: dict[tuple[str, str], int] = {
    ("cohere", "embed-v4.0"): 96,
    ("gemini", "gemini-embedding-001"): 100,
    ("vertex", "text-embedding-005"): 250,
    ("vertex", "gemini-embedding-001"): 1,
    ("perplexity", "pplx-embed-v1-4b"): 512,
    ("bedrock", TITAN): 1,
    ("bedrock", "cohere.embed-v4:0"): 96,
}
"""By dialect and model: the texts of one request, as their vendors document them."""
HEAD = Head(200, {"content-type": "application/json", "x-amzn-bedrock-input-token-count": "3"})


def call(given: Any, **fields: Any) -> Call:
    return Call(Operation.EMBEDDINGS, "m", {"model": "m", "input": given, **fields})


def place(dialect: str, model: str) -> tuple[Splitting, Target]:
    adapter = adapter_for(dialect, Operation.EMBEDDINGS)
    assert isinstance(adapter, Splitting), dialect
    return adapter, replace(recorded.target(dialect), model=model)


def answer(dialect: str, model: str, numbers: Sequence[int]) -> bytes:
    """Give what a vendor says of so many texts, each with one token."""
    vectors = [[float(number), 0.5] for number in numbers]
    said: dict[str, Any] = {
        "cohere": {
            "embeddings": {"float": vectors},
            "meta": {"billed_units": {"input_tokens": len(numbers)}},
        },
        "gemini": {
            "embeddings": [{"values": vector} for vector in vectors],
            "usageMetadata": {"promptTokenCount": len(numbers)},
        },
        "vertex": {
            "predictions": [
                {"embeddings": {"values": vector, "statistics": {"token_count": 1}}} for vector in vectors
            ]
        },
        # In no order, as OpenAI's shape allows; the vectors are signed bytes: 1, 2.
        "perplexity": {
            "object": "list",
            "model": model,
            "data": [{"object": "embedding", "index": n, "embedding": "AQI="} for n in range(len(numbers))][
                ::-1
            ],
            "usage": {"prompt_tokens": len(numbers), "total_tokens": len(numbers)},
        },
        "bedrock": {"embedding": vectors[0], "inputTextTokenCount": 1}
        if model == TITAN
        else {"embeddings": {"float": vectors}},
    }
    return json.dumps(said[dialect]).encode()


def test_those_that_split_are_those_whose_vendors_bound_a_request() -> None:
    splitting = {d for d in DIALECTS if isinstance(adapter_for(d, Operation.EMBEDDINGS), Splitting)}
    assert splitting == {dialect for dialect, _ in MOST}


def test_a_call_that_is_split_has_the_answer_of_one() -> None:
    for (dialect, model), most in MOST.items():
        adapter, target = place(dialect, model)
        texts = [f"text {n}" for n in range(2 * most + 1)]
        for encoding in ("float", "base64"):
            whole = call(texts, encoding_format=encoding, dimensions=256)
            parts = adapter.split(whole, target)
            case = f"{dialect}/{model} {encoding}"
            assert [text for part in parts for text in part.body["input"]] == texts, case
            assert [len(part.body["input"]) for part in parts] == [most, most, 1], case
            for part in parts:
                assert {**part.body, "input": texts} == whole.body, case
                assert list(adapter.split(part, target)) == [part], case
                adapter.build_request(part, target)
            replies = [
                adapter.parse_response(
                    part, target, HEAD, answer(dialect, model, [int(text[5:]) for text in part.body["input"]])
                )
                for part in parts
            ]
            joined = adapter.join(parts, replies)
            body = json.loads(joined.body)
            assert [item["index"] for item in body["data"]] == list(range(len(texts))), case
            told = sum(reply.usage.input_tokens for reply in replies if reply.usage)
            assert joined.usage == Usage(input_tokens=told), case
            assert body["usage"] == {"prompt_tokens": told, "total_tokens": told}, case
            if model != TITAN and dialect != "perplexity" and most > 1:
                one = adapter.parse_response(whole, target, HEAD, answer(dialect, model, range(len(texts))))
                expected = json.loads(one.body)
                assert body["data"] == expected["data"], case
                assert {**body, "usage": None} == {**expected, "usage": None}, case
                assert joined.model == one.model, case


def test_what_one_request_takes_is_not_split_and_what_none_takes_is_refused_as_before() -> None:
    for (dialect, model), most in MOST.items():
        adapter, target = place(dialect, model)
        for asked in ("one", ["one"], [f"{n}" for n in range(most)], [1, 2, 3], [[1], [2]], ["a", 7], []):
            whole = call(asked)
            assert list(adapter.split(whole, target)) == [whole], (dialect, model, asked)
        with pytest.raises(RequestRejected, match=r"2,049.*2,048") as caught:
            adapter.split(call(["a"] * 2049), target)
        assert caught.value.param == "input"
    adapter, target = place("cohere", "embed-v4.0")
    pictures = call(["data:image/png;base64,AA=="] * 3, input_type="image")
    assert len(adapter.split(pictures, target)) == 3


def said(indexes: Sequence[Any], usage: Usage | None = None) -> Reply:
    data = [{"object": "embedding", "index": index, "embedding": [0.5]} for index in indexes]
    return Reply(json.dumps({"object": "list", "data": data, "model": "m"}).encode(), usage)


def test_parts_that_do_not_fit_are_an_error_and_no_count_makes_the_whole_uncounted() -> None:
    adapter, _ = place("cohere", "embed-v4.0")
    parts = [call(["a", "b"]), call(["c"])]
    joined = adapter.join(parts, [said([1, 0], Usage(input_tokens=2)), said([0])])
    assert [item["index"] for item in json.loads(joined.body)["data"]] == [0, 1, 2]
    assert joined.usage is None
    assert "usage" not in json.loads(joined.body)
    for bad in ([0], [0, 0], [0, 2], [0, 1, 2], ["0", "1"]):
        with pytest.raises(MalformedResponse):
            adapter.join(parts, [said(bad), said([0])])


@given(body=recorded.HOSTILE)
def test_hostile_answers_are_joined_or_are_upstream_errors(body: object) -> None:
    adapter, _ = place("cohere", "embed-v4.0")
    for value in (body, {"data": body}, {"data": [body]}, {"data": [{"index": body}], "usage": body}):
        with suppress(UpstreamError):
            adapter.join([call(["a"])], [Reply(json.dumps(value).encode(), None)])
