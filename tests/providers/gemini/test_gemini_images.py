"""Images over Imagen's predictions and Gemini's answers, at Gemini's and at Vertex's address."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from providers import errors as e
from providers.registry import adapter_for
from providers.types import Call, Head, HttpRequest, Operation, Reply, Secret, Target, Usage

IMAGEN, DRAWS = "imagen-4.0-generate-001", "gemini-2.5-flash-image"
GEMINI = Target("gemini", "gemini", "https://g.test/v1beta", IMAGEN, Secret("AIza-secret"))
OPTIONS = {"project": "p", "location": "us-central1"}
VERTEX = Target("vertex", "vertex", "https://v.test/v1", IMAGEN, Secret("ya29.secret"), options=OPTIONS)
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}


def call(**body: Any) -> Call:
    return Call(Operation.IMAGE_GENERATION, "m", {"model": "m", "prompt": "a cat", **body}, "abc", 1795161600)


def built(target: Target, **body: Any) -> HttpRequest:
    adapter = adapter_for(target.dialect, Operation.IMAGE_GENERATION)
    assert adapter is not None
    return adapter.build_request(call(**body), target)


def sent(model: str, **body: Any) -> Any:
    return json.loads(built(replace(GEMINI, model=model), **body).body)


def read(model: str, answer: Any) -> Reply:
    adapter = adapter_for("gemini", Operation.IMAGE_GENERATION)
    assert adapter is not None
    body = json.dumps(answer).encode()
    return adapter.parse_response(call(), replace(GEMINI, model=model), Head(200, {}), body)


def drawn(*parts: Any, **candidate: Any) -> Any:
    return {"candidates": [{"content": {"role": "model", "parts": parts}, **candidate}]}


def test_each_model_is_asked_at_its_method() -> None:
    place = "https://v.test/v1/projects/p/locations/us-central1/publishers/google/models"
    for target, models in ((GEMINI, "https://g.test/v1beta/models"), (VERTEX, place)):
        assert built(target).url == f"{models}/{IMAGEN}:predict"
        assert built(replace(target, model=DRAWS)).url == f"{models}/{DRAWS}:generateContent"
    assert dict(built(GEMINI).headers)["x-goog-api-key"] == "AIza-secret"
    assert dict(built(VERTEX).headers)["authorization"] == "Bearer ya29.secret"


def test_what_imagen_is_asked() -> None:
    assert sent(IMAGEN) == {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 1}}
    fields = {"n": 2, "size": "1920x1080", "response_format": "b64_json", "user": "u", "quality": "auto"}
    asked = sent(IMAGEN, **fields, output_format="jpeg", output_compression=80, personGeneration="dont_allow")
    assert asked["parameters"] == {
        "sampleCount": 2,
        "aspectRatio": "16:9",
        "outputOptions": {"mimeType": "image/jpeg", "compressionQuality": 80},
        "personGeneration": "dont_allow",
    }


def test_what_gemini_is_asked() -> None:
    assert sent(DRAWS, n=1, size="1024x1536", generationConfig={"temperature": 0.5}) == {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "2:3"},
            "temperature": 0.5,
        },
    }
    assert "imageConfig" not in sent(DRAWS, size="auto")["generationConfig"]


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (IMAGEN, "size", "1536x1024"),
        (DRAWS, "size", "1792x1024"),
        (DRAWS, "n", 2),
        (DRAWS, "output_format", "png"),
        (IMAGEN, "response_format", "url"),
        (IMAGEN, "quality", "high"),
        (IMAGEN, "style", "vivid"),
        (DRAWS, "background", "transparent"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_unless_dropped(model: str, field: str, value: Any) -> None:
    target = replace(GEMINI, model=model)
    with pytest.raises(e.UnsupportedParameter) as refused:
        built(target, **{field: value})
    assert refused.value.param == field
    assert built(replace(target, drop=frozenset({field})), **{field: value}).body == built(target).body


def test_what_is_wrong_is_refused() -> None:
    for field, value in (
        ("n", 0),
        ("n", "2"),
        ("size", "large"),
        ("prompt", 1),
        ("response_format", "x"),
        ("stream", True),
    ):
        with pytest.raises(e.RequestRejected) as refused:
            sent(IMAGEN, **{field: value})
        assert refused.value.param == field


def test_answers_and_what_they_used() -> None:
    made = [
        {"bytesBase64Encoded": "QQ==", "mimeType": "image/png", "prompt": "A cat."},
        {"raiFilteredReason": "no"},
    ]
    reply = read(IMAGEN, {"predictions": made})
    data = [{"b64_json": "QQ==", "revised_prompt": "A cat."}]
    assert json.loads(reply.body) == {"created": 1795161600, "data": data, "output_format": "png"}
    assert reply.usage == Usage(images=1), "what a filter held back is none"
    counted = {
        "promptTokenCount": 4,
        "candidatesTokenCount": 1300,
        "thoughtsTokenCount": 10,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
    }
    draft = {**PICTURE, "thought": True}
    answer = drawn({"text": "Here."}, draft, PICTURE, finishReason="STOP")
    reply = read(DRAWS, {**answer, "usageMetadata": counted, "modelVersion": DRAWS})
    body = json.loads(reply.body)
    assert body["data"] == [{"b64_json": "QQ=="}]
    assert body["usage"] == {"input_tokens": 4, "output_tokens": 1310, "total_tokens": 1314}
    assert (reply.model, reply.usage) == (
        DRAWS,
        Usage(input_tokens=4, output_tokens=1310, reasoning_tokens=10, image_output_tokens=1290, images=1),
    )
    assert read(DRAWS, drawn(PICTURE)).usage == Usage(images=1)


def test_answers_without_an_image() -> None:
    for model, answer, kind in (
        (IMAGEN, {}, e.ContentPolicyViolation),
        (IMAGEN, {"predictions": [{"raiFilteredReason": "no"}]}, e.ContentPolicyViolation),
        (IMAGEN, {"predictions": 1}, e.MalformedResponse),
        (IMAGEN, {"error": {"code": 503, "status": "UNAVAILABLE"}}, e.Overloaded),
        (DRAWS, {"promptFeedback": {"blockReason": "SAFETY"}}, e.ContentPolicyViolation),
        (DRAWS, drawn(finishReason="IMAGE_SAFETY"), e.ContentPolicyViolation),
        (DRAWS, drawn(finishReason="NO_IMAGE"), e.ServerFault),
        (DRAWS, drawn({"text": "No."}, finishReason="STOP"), e.MalformedResponse),
    ):
        with pytest.raises(kind):
            read(model, answer)
