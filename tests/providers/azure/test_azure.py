"""Azure's addresses, its key, and what its content filter says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers import errors as e
from providers.registry import DIALECTS, adapter_for
from providers.types import Call, Head, Operation, Secret, Target, Upload

GOLDEN = Path(__file__).parents[2] / "golden" / "azure"
ROOT = "https://acme.openai.azure.com"
OK = Head(200, {})


class Nothing:
    """An empty file."""

    size = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b""


def adapter(operation: Operation = Operation.CHAT):
    found = adapter_for("azure", operation)
    assert found is not None
    return found


def target(
    base_url: str = ROOT, version: str = "v1", model: str = "my gpt/4", key: str = "azure-key"
) -> Target:
    return Target("azure", "azure", base_url, model, Secret(key), options={"api_version": version})


def call(operation: Operation = Operation.CHAT, **fields: object) -> Call:
    return Call(operation, "m", {"model": "m", "messages": [], **fields}, id="abc", created=1)


def test_the_base_url_and_the_version_decide_the_address() -> None:
    deployment = f"{ROOT}/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"
    foundry = "https://acme.services.ai.azure.com/models"
    cases = [
        (ROOT, "2024-10-21", deployment),
        (f"{ROOT}/openai", "2024-10-21", deployment),
        (ROOT, "v1", f"{ROOT}/openai/v1/chat/completions"),
        (ROOT, "preview", f"{ROOT}/openai/v1/chat/completions?api-version=preview"),
        (f"{ROOT}/openai/v1", "v1", f"{ROOT}/openai/v1/chat/completions"),
        (f"{ROOT}/openai/v1", "2024-10-21", f"{ROOT}/openai/v1/chat/completions"),
        (f"{ROOT}/openai/v1", "preview", f"{ROOT}/openai/v1/chat/completions?api-version=preview"),
        (f"{ROOT}/openai/deployments/d", "2024-10-21", f"{ROOT}/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        (foundry, "2024-05-01-preview", f"{foundry}/chat/completions?api-version=2024-05-01-preview"),
    ]  # fmt: skip
    for base_url, version, url in cases:
        request = adapter().build_request(call(), target(base_url, version))
        assert request.url == url, (base_url, version)
        assert json.loads(request.body)["model"] == "my gpt/4"
    for operation, path in [(Operation.COMPLETIONS, "completions"), (Operation.EMBEDDINGS, "embeddings")]:
        request = adapter(operation).build_request(call(operation), target(version="2024-10-21", model="d"))
        assert request.url == f"{ROOT}/openai/deployments/d/{path}?api-version=2024-10-21"


def test_pictures_and_sound_are_asked_for_at_the_deployment_or_at_v1() -> None:
    prompt = {"prompt": "a cat", "input": "Hello"}
    sound = (Upload("file", "a.mp3", "audio/mpeg", Nothing()),)
    for operation, path, files in [
        (Operation.IMAGE_GENERATION, "images/generations", ()),
        (Operation.IMAGE_EDIT, "images/edits", (Upload("image", "a.png", "image/png", Nothing()),)),
        (Operation.SPEECH, "audio/speech", ()),
        (Operation.TRANSCRIPTION, "audio/transcriptions", sound),
        (Operation.TRANSLATION, "audio/translations", sound),
    ]:
        asked = Call(operation, "m", {"model": "m", **prompt}, "abc", files=files)
        dated = adapter(operation).build_request(asked, target(version="2025-04-01-preview", model="d"))
        assert dated.url == f"{ROOT}/openai/deployments/d/{path}?api-version=2025-04-01-preview"
        assert dict(dated.headers)["api-key"] == "azure-key"
        assert adapter(operation).build_request(asked, target()).url == f"{ROOT}/openai/v1/{path}"


def test_the_key_has_a_header_of_its_own() -> None:
    headers = dict(adapter().build_request(call(), target()).headers)
    assert headers["api-key"] == "azure-key"
    assert "authorization" not in headers


def test_the_list_of_models_is_asked_for_where_it_is() -> None:
    for base_url, version, url in [
        (ROOT, "2024-10-21", f"{ROOT}/openai/models?api-version=2024-10-21"),
        (ROOT, "v1", f"{ROOT}/openai/v1/models"),
        (f"{ROOT}/openai/v1", "v1", f"{ROOT}/openai/v1/models"),
        (f"{ROOT}/openai/deployments/d", "2024-10-21", f"{ROOT}/openai/models?api-version=2024-10-21"),
    ]:
        listing = DIALECTS["azure"].listing
        assert listing is not None
        request = listing.request(target(base_url, version))
        assert request.url == url
        assert ("api-key", "azure-key") in request.headers


def test_errors_and_their_classes() -> None:
    for name, kind, status, wait in [
        ("error_400_content_filter", e.ContentPolicyViolation, 400, None),
        ("error_401", e.CredentialRejected, 401, None),
        ("error_404_deployment", e.ModelNotFound, 404, None),
        ("error_404_resource", e.ModelNotFound, 404, None),
        ("error_429_openai_model", e.RateLimited, 429, 10.0),
        ("error_429_foundry_model", e.RateLimited, 429, None),
    ]:
        error = adapter().parse_error(Head(status, {}), (GOLDEN / f"{name}.json").read_bytes(), 0)
        assert (type(error), error.retry_after) == (kind, wait), name
    for status, body, kind in [
        (400, {"error": {"code": "OperationNotSupported", "message": "x"}}, e.UnsupportedParameter),
        (400, {"error": {"message": "Unrecognized request argument supplied: x"}}, e.UnsupportedParameter),
        (424, {"error": {"message": "Failed dependency"}}, e.ServerFault),
        (429, {"error": {"code": "NoCapacity", "message": "x"}}, e.Overloaded),
        (429, {"error": {"code": "insufficient_quota", "message": "x"}}, e.QuotaExhausted),
    ]:
        assert type(adapter().parse_error(Head(status, {}), json.dumps(body).encode(), 0)) is kind, body
    body = b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 7 seconds."}'
    assert adapter().parse_error(Head(429, {}), body, 0).retry_after == 7
    headers = dict(line.split(": ", 1) for line in (GOLDEN / "headers_429.txt").read_text().splitlines())
    assert adapter().parse_error(Head(429, headers), body, 0).retry_after == 9.85


def test_what_the_filter_says_of_a_whole_answer_stays() -> None:
    recorded = (GOLDEN / "chat_response.json").read_bytes()
    body = json.loads(adapter().parse_response(call(), target(), OK, recorded).body)
    sent = json.loads(recorded)
    assert body["prompt_filter_results"] == sent["prompt_filter_results"]
    assert body["choices"][0]["content_filter_results"] == sent["choices"][0]["content_filter_results"]


def streamed(data: bytes) -> list[dict]:
    decoder = adapter().open_stream(call(stream=True), target(), OK)
    return [json.loads(chunk.data) for chunk in (*decoder.feed(data), *decoder.close()) if chunk.data]


def test_what_the_filter_says_of_the_prompt_goes_with_the_first_choice() -> None:
    for name in ("stream_text", "stream_tool_call", "stream_content_filter_stop"):
        recorded = (GOLDEN / f"{name}.sse").read_bytes()
        first, *others = streamed(recorded)
        assert first["choices"][0]["delta"]["role"] == "assistant", name
        assert first["prompt_filter_results"][0]["content_filter_results"], name
        assert not any("prompt_filter_results" in event for event in others), name
        assert len({event["id"] for event in (first, *others)}) == 1, name
        assert all(event["choices"] for event in others), name
    assert others[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert others[-1]["choices"][0]["content_filter_results"]["violence"]["filtered"]


def test_what_an_asynchronous_filter_says_comes_in_the_answers_envelope() -> None:
    def event(**fields: object) -> bytes:
        return (
            b"data: "
            + json.dumps({"object": "", "created": 0, "id": "", "model": "", **fields}).encode()
            + b"\n\n"
        )

    real = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "gpt"}
    results, offsets = (
        {"hate": {"filtered": False}},
        {"check_offset": 44, "start_offset": 44, "end_offset": 198},
    )
    said = {
        "index": 0,
        "content_filter_results": results,
        "content_filter_offsets": offsets,
        "finish_reason": None,
    }
    text = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = streamed(
        event(choices=[], prompt_filter_results=[{"prompt_index": 0}])
        + event(**real, choices=[text])
        + event(choices=[said])
        + event(**real, choices=[end])
        + event(choices=[said])
        + b"data: [DONE]\n\n"
    )
    assert {(each["id"], each["model"], each["created"], each["object"]) for each in events} == {tuple(real[k] for k in ("id", "model", "created", "object"))}  # fmt: skip
    assert [each["choices"][0]["finish_reason"] for each in events] == [None, None, "stop", None]
    for each in (events[1], events[3]):
        assert each["choices"][0]["content_filter_results"] == results
        assert each["choices"][0]["content_filter_offsets"] == offsets


def test_an_error_of_the_filter_within_a_stream() -> None:
    decoder = adapter().open_stream(call(stream=True), target(), OK)
    with pytest.raises(e.ContentPolicyViolation):
        decoder.feed(b'data: {"error":{"code":"content_filter","message":"no"}}\n\n')
