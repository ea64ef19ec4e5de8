"""Images of Amazon's and Stability's models at Bedrock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.bedrock import images
from providers.errors import ContentPolicyViolation, MalformedResponse, RequestRejected, UnsupportedParameter
from providers.types import Call, Head, Operation, Target, Usage

NOVA, STABILITY = "amazon.nova-canvas-v1:0", "us.stability.stable-image-core-v1:1"
HEAD = Head(200, {})


def target(model: str = NOVA) -> Target:
    return Target("bedrock", "bedrock", "https://b.test", model)


def call(**body: Any) -> Call:
    return Call(Operation.IMAGE_GENERATION, "m", {"model": "m", "prompt": "a cat", **body}, "abc", 7)


def asked(model: str, **body: Any) -> Any:
    made = images.build_request(call(**body), target(model))
    assert made.url.endswith("/invoke")
    assert isinstance(made.body, bytes)
    return json.loads(made.body)


def test_each_model_is_asked_as_its_maker_has_it() -> None:
    amazon = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a cat"}}
    own = {
        "imageGenerationConfig": {"seed": 3},
        "user": "u",
        "quality": "auto",
        "response_format": "b64_json",
    }
    assert asked(NOVA, n=2, size="1280x720", output_format="png", **own) == {
        **amazon, "imageGenerationConfig": {"numberOfImages": 2, "width": 1280, "height": 720, "seed": 3}
    }  # fmt: skip
    assert asked("amazon.titan-image-generator-v2:0", size="auto") == {
        **amazon, "imageGenerationConfig": {"numberOfImages": 1}
    }  # fmt: skip
    assert asked(STABILITY, n=1, size="1920x1080", output_format="jpeg", seed=4) == {
        "prompt": "a cat", "aspect_ratio": "16:9", "output_format": "jpeg", "seed": 4
    }  # fmt: skip
    for model, body, param in (
        (NOVA, {"output_format": "webp"}, "output_format"),
        (NOVA, {"size": "large"}, "size"),
        (NOVA, {"quality": "high"}, "quality"),
        (NOVA, {"response_format": "url"}, "response_format"),
        (NOVA, {"imageGenerationConfig": {"numberOfImages": 3}}, "imageGenerationConfig"),
        (NOVA, {"stream": True}, "stream"),
        (STABILITY, {"n": 2}, "n"),
        (STABILITY, {"size": "1000x333"}, "size"),
        ("meta.llama3", {}, "model"),
    ):
        with pytest.raises(RequestRejected) as caught:
            asked(model, **body)
        assert caught.value.param == param, (model, body)
    with pytest.raises(UnsupportedParameter):
        asked("meta.llama3")


def test_answers() -> None:
    for model, answer in (
        (NOVA, {"images": ["AAAA", "BBBB"], "error": None}),
        (STABILITY, {"images": ["AAAA", "BBBB"], "seeds": [1, 2], "finish_reasons": [None, None]}),
    ):
        reply = images.parse_response(call(), target(model), HEAD, json.dumps(answer).encode())
        assert json.loads(reply.body) == {"created": 7, "data": [{"b64_json": "AAAA"}, {"b64_json": "BBBB"}]}
        assert reply.usage == Usage(images=2)
    for answer, words in (
        ({"images": [], "error": "All images have been blocked."}, "blocked"),
        ({"images": [None], "finish_reasons": ["Filter reason: prompt"]}, "Filter reason"),
    ):
        with pytest.raises(ContentPolicyViolation, match=words):
            images.parse_response(call(), target(), HEAD, json.dumps(answer).encode())
    for body in (b"", b"{}", b'{"images":5}'):
        with pytest.raises(MalformedResponse):
            images.parse_response(call(), target(), HEAD, body)
