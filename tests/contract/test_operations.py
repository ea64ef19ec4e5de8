"""The operations beside words: every registered adapter of each, against recorded and hostile answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapter import Adapter, Knowing, Pointing
from providers.catalog import CATALOG
from providers.errors import RequestRejected, StreamTruncated, UnsupportedParameter, UpstreamError
from providers.registry import DIALECTS, adapter_for
from providers.types import Call, Delivery, Head, HttpRequest, InBase64, Operation, Reply, Upload, Usage
from tests.contract import recorded
from tests.contract.recorded import CREATED, GOLDEN, SECRET, provider_of

WORDS = (Operation.CHAT, Operation.COMPLETIONS, Operation.EMBEDDINGS)
JSON_HEAD = Head(200, {"content-type": "application/json"})
SSE_HEAD = Head(200, {"content-type": "text/event-stream"})


class Held:
    """A small file."""

    size = 5

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"bytes"


SOUND = (Upload("file", "a.mp3", "audio/mpeg", Held()),)
IMAGE = (Upload("image", "a.png", "image/png", Held()),)
FIELDS: dict[Operation, dict[str, Any]] = {
    Operation.RERANK: {"query": "q", "documents": ["a", "b"]},
    Operation.IMAGE_GENERATION: {"prompt": "a cat"},
    Operation.IMAGE_EDIT: {"prompt": "a hat"},
    Operation.VIDEO: {"prompt": "a cat"},
    Operation.SPEECH: {"input": "Hello"},
    Operation.MODERATION: {"input": "Hello"},
}
FILES = {Operation.IMAGE_EDIT: IMAGE, Operation.TRANSCRIPTION: SOUND, Operation.TRANSLATION: SOUND}
JOBS = (Operation.VIDEO_STATUS, Operation.VIDEO_CONTENT, Operation.VIDEO_DELETE)


def call(operation: Operation, **fields: Any) -> Call:
    about_job = operation in JOBS
    body = {} if about_job else {"model": "public", **FIELDS.get(operation, {}), **fields}
    files = FILES.get(operation, ())
    return Call(operation, "public", body, "abc", CREATED, files=files, job="job/1" if about_job else "")


def adapter(provider: str, operation: Operation) -> Adapter:
    found = adapter_for(CATALOG[provider].dialect, operation)
    assert found is not None
    return found


def built(provider: str, operation: Operation, **fields: Any) -> HttpRequest:
    return adapter(provider, operation).build_request(call(operation, **fields), recorded.target(provider))


def said(provider: str, operation: Operation, answer: Any, head: Head = JSON_HEAD, **fields: Any) -> Reply:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return adapter(provider, operation).parse_response(
        call(operation, **fields), recorded.target(provider), head, body
    )


def sent(request: HttpRequest) -> Any:
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


SERVED = [
    (row.name, o)
    for row in CATALOG.values()
    for o in sorted(row.operations)
    if o not in WORDS and not isinstance(adapter(row.name, o), Knowing)
]


def test_every_provider_that_serves_one_is_asked_with_its_credential_and_its_model() -> None:
    """The credential is sent and not shown, the client's body stays as it was, and the files are not read."""
    assert len(SERVED) > 40
    for provider, operation in SERVED:
        asked = call(operation)
        before = json.dumps(asked.body)
        target = recorded.target(provider)
        request = adapter(provider, operation).build_request(asked, target)
        case = f"{provider} {operation}"
        assert json.dumps(asked.body) == before, case
        assert request.url.startswith(target.base_url + "/"), case
        assert SECRET not in repr(request), case
        assert SECRET in " ".join(value for _, value in request.headers), case
        if operation in JOBS:
            # Vertex is told in the body; at Gemini's API what was submitted has an address.
            named = "job%2F1" in request.url or request.url.endswith("/job/1")
            assert named or sent(request) == {"operationName": "job/1"}, case
            assert request.method == "POST" or request.body == b"", case
            continue
        parts = (request.body,) if isinstance(request.body, bytes) else request.body
        text = b"".join(part for part in parts if isinstance(part, bytes))
        # Google's address names the model.
        assert b"some-model" in text or "/some-model:" in request.url, case
        assert b"public" not in text, case
        if asked.files:
            contents = [part.content if isinstance(part, InBase64) else part for part in parts]
            assert asked.files[0].content in contents, case


@given(body=recorded.HOSTILE)
def test_answers_fail_with_upstream_errors_only(body: object) -> None:
    for dialect in sorted(DIALECTS):
        for operation in Operation:
            found = adapter_for(dialect, operation)
            if found is None or operation in WORDS:
                continue
            near = {"results": body, "data": body, "usage": body, "status": body, "id": body, "text": body}
            inside = {
                "results": [{"index": body, "relevance_score": body, "categories": body}],
                "data": [{"url": body, "b64_json": body}],
                "choices": [{"message": body}],
                "predictions": [{"bytesBase64Encoded": body, "raiFilteredReason": body}],
                "meta": {"billed_units": body},
                "video": body,
                "done": True,
                "response": {
                    "videos": [{"bytesBase64Encoded": body, "gcsUri": body}],
                    "generateVideoResponse": {"generatedSamples": [{"video": {"uri": body}}]},
                },
                "type": body,
                "seconds": body,
                "created": body,
            }
            target = recorded.target(provider_of(dialect))
            for value in (body, near, inside, {**inside, "usage": {"input_tokens": body, "seconds": body}}):
                data = json.dumps(value).encode()
                for fields in ({}, {"stream": True}, {"response_format": "srt"}):
                    asked = call(operation, **fields)
                    with suppress(UpstreamError):
                        found.parse_response(asked, target, JSON_HEAD, data)
                    if isinstance(found, Pointing):
                        with suppress(UpstreamError):
                            found.next_request(asked, target, JSON_HEAD, data)
                    with suppress(UpstreamError):
                        decoder = found.open_stream(asked, target, SSE_HEAD)
                        decoder.feed(b"data: " + data + b"\n\n")
                        decoder.close()
            error = found.parse_error(Head(500, {}), json.dumps(body).encode(), CREATED)
            assert isinstance(error, UpstreamError)


@pytest.mark.parametrize(
    ("operation", "name", "output", "images"),
    [
        (Operation.IMAGE_GENERATION, "images_stream.sse", 272, 1),
        (Operation.TRANSCRIPTION, "transcription_stream.sse", 4, 0),
    ],
)
def test_recorded_streams_go_on_as_they_are_wherever_they_are_split(
    operation: Operation, name: str, output: int, images: int
) -> None:
    data = (GOLDEN / "openai" / name).read_bytes()
    found, asked, target = (
        adapter("openai", operation),
        call(operation, stream=True),
        recorded.target("openai"),
    )
    assert asked.delivery is Delivery.FRAMES
    for at in range(0, len(data) + 1, 7):
        pieces = [data[:at], data[at:].replace(b"\n", b"\r\n")]
        chunks = recorded.read(found.open_stream(asked, target, SSE_HEAD), pieces)
        assert b"".join(chunk.data for chunk in chunks).strip() == data.strip()
        used = [chunk.usage for chunk in chunks if chunk.usage][-1]
        assert (used.output_tokens, used.images) == (output, images)
    cut = found.open_stream(asked, target, SSE_HEAD)
    cut.feed(data[: data.index(b"event:", 10)])
    with pytest.raises(StreamTruncated):
        cut.close()
    failed = found.open_stream(asked, target, SSE_HEAD)
    with pytest.raises(UpstreamError, match="no more"):
        failed.feed(b'data: {"type":"error","error":{"message":"no more"}}\n\n')


def test_recorded_answers_and_what_they_tell_of_their_use() -> None:
    cases: tuple[tuple[str, Operation, str, Usage | None], ...] = (
        (
            *("openai", Operation.IMAGE_GENERATION, "openai/images_response.json"),
            Usage(input_tokens=12, output_tokens=272, image_output_tokens=272, images=1),
        ),
        ("openai", Operation.IMAGE_GENERATION, "openai/images_response_url_dalle3.json", Usage(images=1)),
        ("openai", Operation.MODERATION, "openai/moderation_response.json", None),
        (
            *("openai", Operation.TRANSCRIPTION, "openai/transcription_response.json"),
            Usage(input_tokens=14, output_tokens=4, audio_input_tokens=14),
        ),
        (
            *("groq", Operation.TRANSLATION, "openai/transcription_verbose_whisper.json"),
            Usage(audio_seconds=2.0),
        ),
        ("openrouter", Operation.RERANK, "cohere/rerank_response.json", Usage(searches=1)),
    )
    for provider, operation, name, used in cases:
        data = (GOLDEN / name).read_bytes()
        reply = said(provider, operation, data)
        assert json.loads(reply.body) == json.loads(data), name
        assert reply.usage == used, name
        for size in range(0, len(data.strip()), 11):
            with pytest.raises(UpstreamError):
                said(provider, operation, data[:size])


def test_rerank_of_others_has_coheres_shape() -> None:
    result = {"index": 1, "relevance_score": 0.5}
    for provider, answer in (
        ("vllm", {"id": "r", "model": "m", "usage": {"total_tokens": 7}, "results": [result]}),
        ("fireworks", {"object": "list", "model": "m", "usage": {"prompt_tokens": 7}, "data": [result]}),
        ("llamacpp", {"model": "m", "results": [result], "usage": {"prompt_tokens": 7, "total_tokens": 7}}),
    ):
        reply = said(provider, Operation.RERANK, answer)
        body = json.loads(reply.body)
        assert (body["results"], body["meta"]) == ([result], {"tokens": {"input_tokens": 7}})
        assert body["id"]
        assert reply.usage == Usage(input_tokens=7)
    echoed = said("vllm", Operation.RERANK, {"results": [result]}, return_documents=True)
    assert json.loads(echoed.body)["results"] == [{**result, "document": {"text": "b"}}]
    assert built("groq", Operation.RERANK).url.endswith("/openai/v1/reranking")


def test_sizes_as_providers_spell_them() -> None:
    fields = {"size": "1920x1080", "response_format": "b64_json"}
    together = sent(built("together", Operation.IMAGE_GENERATION, **fields))
    assert together == {
        "model": "some-model",
        "prompt": "a cat",
        "width": 1920,
        "height": 1080,
        "response_format": "base64",
    }
    xai = sent(built("xai", Operation.IMAGE_GENERATION, **fields))
    assert (xai["aspect_ratio"], "size" in xai) == ("16:9", False)
    assert sent(built("openai", Operation.IMAGE_GENERATION, **fields))["size"] == "1920x1080"
    for provider in ("xai", "together"):
        assert "size" not in sent(built(provider, Operation.IMAGE_GENERATION, size="auto"))
        with pytest.raises(RequestRejected, match="1024x1024"):
            built(provider, Operation.IMAGE_GENERATION, size="2K")
    body = built("xai", Operation.IMAGE_EDIT).body
    assert isinstance(body, tuple)
    assert json.loads(b"".join(p if isinstance(p, bytes) else b"Qg==" for p in body)) == {
        "model": "some-model",
        "prompt": "a hat",
        "image": {"url": "data:image/png;base64,Qg=="},
    }


def test_blackbox_makes_images_by_way_of_chat() -> None:
    request = built("blackbox", Operation.IMAGE_GENERATION, n=1, response_format="url")
    assert request.url == "https://api.blackbox.ai/chat/completions"
    assert sent(request) == {"model": "some-model", "messages": [{"role": "user", "content": "a cat"}]}
    data = (GOLDEN / "blackbox" / "chat_response_image.json").read_bytes()
    url = json.loads(data)["choices"][0]["message"]["content"]
    assert json.loads(said("blackbox", Operation.IMAGE_GENERATION, data).body)["data"] == [{"url": url}]
    marked = json.loads(data)
    marked["choices"][0]["message"]["content"] = f"![a cat]({url})\n"
    assert json.loads(said("blackbox", Operation.IMAGE_GENERATION, marked).body)["data"] == [{"url": url}]
    for name, value in (("response_format", "b64_json"), ("size", "1024x1024"), ("n", 2)):
        with pytest.raises(UnsupportedParameter, match=f"blackbox/some-model.*{name}"):
            built("blackbox", Operation.IMAGE_GENERATION, **{name: value})


def test_blackbox_makes_videos_by_way_of_chat_and_a_name_tells_where_they_are() -> None:
    assert sent(built("blackbox", Operation.VIDEO))["messages"] == [{"role": "user", "content": "a cat"}]
    data = json.loads((GOLDEN / "blackbox" / "chat_response_image.json").read_bytes())
    url = data["choices"][0]["message"]["content"]
    submitted = said("blackbox", Operation.VIDEO, data)
    body = json.loads(submitted.body)
    assert (body["object"], body["status"], body["video"]) == ("video", "completed", {"url": url})
    status = adapter("blackbox", Operation.VIDEO_STATUS)
    assert isinstance(status, Knowing)
    asked = replace(call(Operation.VIDEO_STATUS), job=submitted.job, created=CREATED + 60)
    assert json.loads(status.known(asked, recorded.target("blackbox")).body) == body
    data["choices"][0]["message"]["content"] = f"https://v.test/{'x' * 2000}"
    assert said("blackbox", Operation.VIDEO, data).job == ""
    with pytest.raises(UnsupportedParameter, match="seconds"):
        built("blackbox", Operation.VIDEO, seconds="8")
    image = Upload("input_reference", "a.png", "image/png", Held())
    with_image = replace(call(Operation.VIDEO), files=(image,))
    with pytest.raises(UnsupportedParameter, match="input_reference"):
        adapter("blackbox", Operation.VIDEO).build_request(with_image, recorded.target("blackbox"))


def test_videos_of_others_are_told_as_openai_tells_them() -> None:
    submitted = said("xai", Operation.VIDEO, {"request_id": "r-1"}, seconds="6")
    assert submitted.job == "r-1"
    assert submitted.usage == Usage(video_seconds=6)
    assert sent(built("xai", Operation.VIDEO, seconds="6"))["duration"] == 6
    body = json.loads(submitted.body)
    assert (body["id"], body["object"], body["status"], body["seconds"]) == ("r-1", "video", "queued", "6")
    assert built("xai", Operation.VIDEO).url.endswith("/v1/videos/generations")
    running = json.loads(said("xai", Operation.VIDEO_STATUS, {}, Head(202, {})).body)
    assert (running["status"], running["progress"]) == ("in_progress", 0)
    shown = {"status": "done", "video": {"url": "https://v", "duration": 6}}
    done = json.loads(said("xai", Operation.VIDEO_STATUS, shown).body)
    assert (done["status"], done["progress"], done["seconds"]) == ("completed", 100, "6")
    assert done["video"]["url"] == "https://v"


def test_texts_of_sound_tell_how_long_it_was() -> None:
    plain = Head(200, {"content-type": "text/vtt"})
    captions = b"WEBVTT\n\n00:00:01.000 --> 00:01:02.500\nHello\n"
    reply = said("openai", Operation.TRANSCRIPTION, captions, plain, response_format="vtt")
    assert (reply.body, reply.media, reply.usage) == (captions, "text/vtt", Usage(audio_seconds=62.5))
    assert said("openai", Operation.TRANSCRIPTION, b"Hello", plain, response_format="text").usage is None


def test_vectors_come_in_the_form_that_was_asked_for() -> None:
    numbers, packed = [0.5, -2.0], "AAAAPwAAAMA="
    for given_vector in (numbers, packed):
        for form, right in (("float", numbers), ("base64", packed), (None, numbers)):
            answer = {"data": [{"index": 0, "embedding": given_vector}]}
            reply = adapter("together", Operation.EMBEDDINGS).parse_response(
                recorded.call(Operation.EMBEDDINGS, encoding_format=form),
                recorded.target("together"),
                JSON_HEAD,
                json.dumps(answer).encode(),
            )
            assert json.loads(reply.body)["data"][0]["embedding"] == right
    for fields in ({"input": [[1, 2], [3]]}, {"input": [1, 2]}, {"dimensions": 256}):
        asked = replace(recorded.call(Operation.EMBEDDINGS, **fields))
        body = adapter("vllm", Operation.EMBEDDINGS).build_request(asked, recorded.target("vllm")).body
        assert isinstance(body, bytes)
        assert fields.items() <= json.loads(body).items()


@given(data=st.binary(max_size=60))
def test_sound_goes_on_untouched_and_a_report_in_its_place_is_an_error(data: bytes) -> None:
    found, asked = adapter("openai", Operation.SPEECH), call(Operation.SPEECH)
    target = recorded.target("openai")
    decoder = found.open_stream(asked, target, Head(200, {"content-type": "audio/mpeg"}))
    chunks = recorded.read(decoder, [data[:7], data[7:]])
    assert b"".join(chunk.data for chunk in chunks) == data
    assert chunks[0].media == "audio/mpeg"
    assert chunks[-1].usage == Usage(characters=5)
    with pytest.raises(UpstreamError):
        recorded.read(found.open_stream(asked, target, JSON_HEAD), [data])
