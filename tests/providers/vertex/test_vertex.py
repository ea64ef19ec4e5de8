"""Vertex: each model in its publisher's dialect, at its location's address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from providers import errors as e
from providers.anthropic import chat as anthropic
from providers.gemini import chat as gemini
from providers.types import Call, Head, HttpRequest, Operation, Secret, Target
from providers.vertex import chat
from providers.vertex.address import host

GOLDEN = Path(__file__).parents[2] / "golden"
HELLO = [{"role": "user", "content": "Hello"}]
OPTIONS = {"project": "acme", "location": "europe-west1"}
PLACE = "https://v.test/v1/projects/acme/locations/europe-west1/publishers"
OK = Head(200, {})


def target(model: str, **changes: Any) -> Target:
    fields = {"credential": Secret("ya29.token"), "max_tokens": 4096, "options": OPTIONS}
    return Target("vertex", "vertex", "https://v.test/v1", model, **{**fields, **changes})


def call(**body: Any) -> Call:
    return Call(Operation.CHAT, "m", {"messages": HELLO, **body}, "abc", 1795161600)


def build(model: str, body: dict[str, Any], **changes: Any) -> HttpRequest:
    return chat.build_request(call(**body), target(model, **changes))


def test_gemini_models() -> None:
    request = build("gemini-2.5-flash", {"seed": 1, "labels": {"team": "a"}})
    assert request.url == f"{PLACE}/google/models/gemini-2.5-flash:generateContent"
    assert dict(request.headers)["authorization"] == "Bearer ya29.token"
    assert json.loads(request.body) == {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "generationConfig": {"seed": 1},
        "labels": {"team": "a"},
    }
    stream = build("gemini-2.5-flash", {"stream": True})
    assert stream.url == f"{PLACE}/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"


def test_the_service_tier_is_a_header() -> None:
    request = build("gemini-2.5-flash", {"service_tier": "priority"})
    assert ("x-vertex-ai-llm-shared-request-type", "priority") in request.headers
    assert "serviceTier" not in json.loads(request.body)
    for tier in ("auto", "default"):
        assert "x-vertex-ai-llm-shared-request-type" not in dict(
            build("gemini-2.5-flash", {"service_tier": tier}).headers
        )


def test_claude_models() -> None:
    model = "claude-sonnet-4-5@20250929"
    request = build(model, {"temperature": 0.5, "user": "u"})
    assert request.url == f"{PLACE}/anthropic/models/{model}:rawPredict"
    assert json.loads(request.body) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
    }
    stream = build(model, {"stream": True})
    assert stream.url == f"{PLACE}/anthropic/models/{model}:streamRawPredict"
    assert json.loads(stream.body)["stream"] is True


def test_an_api_key_says_itself_whose_project_it_is() -> None:
    request = build("gemini-2.5-flash", {}, credential=Secret("AIzaKey"))
    assert request.url == "https://v.test/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    headers = dict(request.headers)
    assert headers["x-goog-api-key"] == "AIzaKey"
    assert "authorization" not in headers


def test_hosts() -> None:
    for location, name in (
        ("global", "aiplatform.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ):
        assert host({"location": location}) == {"host": name}


def test_answers_read_as_the_publishers_own_adapters_read_them() -> None:
    for model, own, whole, streamed in (
        ("gemini-2.5-flash", gemini, "gemini/generate_response_tool_call.json", "gemini/stream_tool_call.sse"),
        ("claude-haiku-4-5", anthropic, "anthropic/messages_response_tool_use.json", "anthropic/stream_tool_use.sse"),
    ):  # fmt: skip
        body, sse = ((GOLDEN / name).read_bytes() for name in (whole, streamed))
        there = target(model)
        assert chat.parse_response(call(), there, OK, body) == own.parse_response(call(), there, OK, body)
        chunks = []
        for adapter in (chat, own):
            decoder = adapter.open_stream(call(stream=True), there, OK)
            chunks.append([*decoder.feed(sse), *decoder.close()])
        assert chunks[0] == chunks[1]


def test_an_event_of_vertexs_own_is_ignored() -> None:
    sse = (GOLDEN / "anthropic" / "stream_text.sse").read_bytes()
    more = b'event: vertex_event\ndata: {"type":"vertex_event","usage":{}}\n\n'
    decoder = chat.open_stream(call(stream=True), target("claude-haiku-4-5"), OK)
    assert [*decoder.feed(more + sse), *decoder.close()]


def test_errors_in_either_form() -> None:
    overloaded = (GOLDEN / "anthropic" / "error_529.json").read_bytes()
    assert type(chat.parse_error(Head(529, {}), overloaded, 0.0)) is e.Overloaded
    too_long = (GOLDEN / "anthropic" / "error_400_prompt_too_long.json").read_bytes()
    assert type(chat.parse_error(Head(400, {}), too_long, 0.0)) is e.ContextLengthExceeded
    exhausted = b'[{"error":{"code":429,"message":"Resource exhausted.","status":"RESOURCE_EXHAUSTED"}}]'
    assert type(chat.parse_error(Head(429, {}), exhausted, 0.0)) is e.RateLimited
    unknown = b'{"error":{"code":404,"message":"Publisher Model `x` was not found","status":"NOT_FOUND"}}'
    assert type(chat.parse_error(Head(404, {}), unknown, 0.0)) is e.ModelNotFound


def test_googles_error_under_a_200_of_claudes() -> None:
    answer = b'[{"error":{"code":503,"message":"x"}}]'
    with pytest.raises(e.Overloaded):
        chat.parse_response(call(), target("claude-haiku-4-5"), OK, answer)
