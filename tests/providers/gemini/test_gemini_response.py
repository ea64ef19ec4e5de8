"""What an OpenAI client reads of Gemini's answers, whole and streamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers.errors import (
    ContextLengthExceeded,
    MalformedResponse,
    Overloaded,
    RateLimited,
    ServerFault,
    StreamTruncated,
    UpstreamError,
)
from providers.gemini import chat
from providers.types import Call, Chunk, Head, Operation, Target, Usage

GOLDEN = Path(__file__).parents[2] / "golden" / "gemini"
TARGET = Target("gemini", "gemini", "https://g.test/v1beta", "gemini-2.5-flash")
OK = Head(200, {})
SIGNED = {"google": {"thought_signature": "CiQBEU0yD1hCYiUoRFyerO7xltRNYWnI"}}


def call(**body: Any) -> Call:
    return Call(Operation.CHAT, "m", body, "abc", 1795161600)


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def read(data: bytes | dict[str, Any], **body: Any) -> tuple[dict[str, Any], Usage | None]:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    reply = chat.parse_response(call(**body), TARGET, OK, data)
    value = json.loads(reply.body)
    ChatCompletion.model_validate(value, strict=True)
    return value, reply.usage


def candidate(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    ending = {"finishReason": finish} if finish else {}
    return {"content": {"role": "model", "parts": list(parts)}, **ending, **more}


def said(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    return {"candidates": [candidate(*parts, finish=finish, **more)]}


def sse(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events)


def run(data: bytes, **body: Any) -> list[Chunk]:
    decoder = chat.open_stream(call(stream=True, **body), TARGET, OK)
    return [*decoder.feed(data), *decoder.close()]


def seen(chunks: list[Chunk]) -> list[dict[str, Any]]:
    parsed = [json.loads(chunk.data) for chunk in chunks if chunk.data]
    for value in parsed:
        ChatCompletionChunk.model_validate(value, strict=True)
    return parsed


def assembled(chunks: list[Chunk]) -> dict[str, Any]:
    """Give the message that OpenAI's SDK puts together."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for value in seen(chunks):
        state.handle_chunk(ChatCompletionChunk.model_validate(value))
    return state.current_completion_snapshot.choices[0].to_dict(mode="json")


def test_text() -> None:
    value, usage = read(golden("generate_response.json"))
    assert value == {
        "id": "U7-Fao_EK_-VvdIP1-aJ8Qo",
        "object": "chat.completion",
        "created": 1795161600,
        "model": "gemini-2.5-flash",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The capital of France is Paris.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 14,
            "completion_tokens": 8,
            "total_tokens": 22,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }  # fmt: skip
    assert usage == Usage(input_tokens=14, output_tokens=8)


def test_usage_sums_include_their_parts() -> None:
    assert read(golden("generate_response_cached.json"))[1] == Usage(4096, 8, cached_tokens=4000)
    value, usage = read(golden("generate_response_thinking.json"))
    assert usage == Usage(input_tokens=14, output_tokens=51, reasoning_tokens=43)
    assert value["usage"]["total_tokens"] == 65
    counts = {"promptTokenCount": 5, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 3,
              "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}]}  # fmt: skip
    assert read({**said({"text": "x"}), "usageMetadata": counts})[1] == Usage(12, 3, audio_input_tokens=4)
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 1300,
              "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]}  # fmt: skip
    assert read({**said({"text": "x"}), "usageMetadata": counts})[1] == Usage(
        5, 1300, image_output_tokens=1290
    )
    assert read({**said({"text": "x"}), "usageMetadata": {"trafficType": "ON_DEMAND"}})[1] is None


def test_thoughts_and_the_signature_of_a_text() -> None:
    message = read(golden("generate_response_thinking.json"))[0]["choices"][0]["message"]
    assert message == {
        "role": "assistant",
        "content": "The capital of France is Paris.",
        "refusal": None,
        "reasoning_content": "**Recalling** capitals.",
        "extra_content": SIGNED,
    }


def test_parallel_calls_with_a_signature() -> None:
    (choice,) = read(golden("generate_response_tool_call.json"))[0]["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {
            "id": "call_abc_0_0",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"location":"Paris"}'},
            "extra_content": SIGNED,
        },
        {
            "id": "call_abc_0_1",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"location":"Rome"}'},
        },
    ]


def test_the_deprecated_function_call() -> None:
    answer = said({"functionCall": {"name": "f", "args": {"a": 1}}})
    (choice,) = read(answer, functions=[{"name": "f"}])[0]["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}


def test_safety() -> None:
    (choice,) = read(golden("generate_response_safety.json"))[0]["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] is None
    assert choice["message"]["refusal"] == "The answer was blocked (SAFETY)."
    blocked = {"promptFeedback": {"blockReason": "JAILBREAK"}, "usageMetadata": {"promptTokenCount": 4}}
    value, usage = read(blocked)
    assert value["choices"][0]["finish_reason"] == "content_filter"
    assert value["choices"][0]["message"]["refusal"] == "The prompt was blocked (JAILBREAK)."
    assert usage == Usage(input_tokens=4)
    streamed = run(sse(blocked))
    assert assembled(streamed)["message"]["refusal"] == "The prompt was blocked (JAILBREAK)."
    assert seen(streamed)[-1]["choices"][0]["finish_reason"] == "content_filter"


def test_every_ending() -> None:
    for word, reason in (
        ("MAX_TOKENS", "length"),
        ("RECITATION", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("SOMETHING_NEW", "stop"),
    ):
        assert read(said({"text": "x"}, finish=word))[0]["choices"][0]["finish_reason"] == reason
    for word in ("MALFORMED_FUNCTION_CALL", "OTHER", "NO_IMAGE", "UNEXPECTED_TOOL_CALL"):
        with pytest.raises(ServerFault, match=word):
            read(said(finish=word))
    spent = {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}
    assert read(spent)[0]["choices"][0]["message"]["content"] == ""


def test_candidates_images_and_logprobs() -> None:
    token = {"token": "é", "tokenId": 3, "logProbability": -0.5}
    logprobs = {"chosenCandidates": [token], "topCandidates": [{"candidates": [token]}]}
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    second = {**candidate(image, {**image, "thought": True}), "index": 1}
    value, _ = read({"candidates": [second, candidate({"text": "é"}, logprobsResult=logprobs)]})
    first, second = value["choices"]
    entry = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    assert first["logprobs"] == {"content": [{**entry, "top_logprobs": [entry]}], "refusal": None}
    assert second["index"] == 1
    assert second["message"]["images"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    ]


def test_what_gemini_has_run_comes_as_items_and_goes_back_where_it_stood() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}, "thoughtSignature": "c2ln"}
    found = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    call_of_f = {"functionCall": {"name": "f", "args": {}}}
    parts: list[dict[str, Any]] = [code, found, {"text": "One."}, call_of_f, found]
    whole = read(said(*parts))[0]["choices"][0]["message"]
    events = (said(*parts[:2], finish=None), said(*parts[2:4], finish=None), said(parts[4]))
    for message in (whole, assembled(run(sse(*events)))["message"]):
        assert [entry["item"] for entry in message["output_items"]] == [code, found, found]
        asked = {"messages": [{"role": "user", "content": "x"}, message]}
        body = json.loads(chat.build_request(Call(Operation.CHAT, "g", asked), TARGET).body)
        back = body["contents"][1]["parts"]
        assert [each for each in back if "functionCall" not in each] == [
            code, found, {"text": "One."}, found
        ]  # fmt: skip
        assert back[3]["functionCall"]["name"] == "f"


def test_sources_are_annotations_counted_in_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.test", "title": "A"}}, {"maps": {}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 7, "text": "Ça!"}, "groundingChunkIndices": [0, 1, 9]}
        ],
    }
    cited = {"start_index": 2, "end_index": 5, "url": "https://a.test", "title": "A"}
    answer = said({"text": "É Ça!"}, groundingMetadata=grounding)
    message = read(answer, web_search_options={})[0]["choices"][0]["message"]
    assert message["annotations"] == [{"type": "url_citation", "url_citation": cited}]
    assert message["extra_content"] == {"google": {"grounding_metadata": grounding}}
    odd = read(said({"text": "x"}, groundingMetadata={"groundingChunks": 3}), tools=[{"urlContext": {}}])[0][
        "choices"
    ][0]["message"]
    assert "annotations" not in odd
    halves = run(
        sse(said({"text": "É "}, finish=None), said({"text": "Ça!"}, groundingMetadata=grounding)),
        tools=[{"googleSearch": {}}],
    )
    assert seen(halves)[-1]["choices"][0]["delta"]["annotations"][0]["url_citation"] == cited


def test_a_stream_of_text() -> None:
    chunks = run(golden("stream_text.sse"), stream_options={"include_usage": True})
    *others, last = seen(chunks)
    assert [value["choices"][0]["delta"] for value in others] == [
        {"role": "assistant", "content": "The capital of"},
        {"content": " France is Paris."},
        {},
    ]
    assert [value["choices"][0]["finish_reason"] for value in others] == [None, None, "stop"]
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 42
    assert chunks[-1].usage == Usage(input_tokens=14, output_tokens=28, reasoning_tokens=20)
    assert [chunk.text_bytes for chunk in chunks if chunk.text_bytes] == [14, 17]


def test_a_stream_of_thoughts_and_a_call() -> None:
    choice = assembled(run(golden("stream_tool_call.sse")))
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["reasoning_content"] == "Checking."
    (made,) = choice["message"]["tool_calls"]
    assert made["id"] == "call_abc_0_0"
    assert made["function"]["arguments"] == '{"location":"Paris"}'
    assert made["extra_content"] == SIGNED


def test_a_stream_that_says_stop_in_every_event_and_counts_late() -> None:
    early = {**said({"text": "a"}), "usageMetadata": {"trafficType": "ON_DEMAND"}}
    late = {"usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 3}}
    chunks = run(sse(early, said({"text": "b"}), late))
    assert [value["choices"][0]["finish_reason"] for value in seen(chunks)] == [None, None, "stop"]
    assert [chunk.usage for chunk in chunks] == [None, None, Usage(2, 3), Usage(2, 3)]


def test_a_stream_of_two_candidates_ends_when_both_have() -> None:
    one, two = said({"text": "a"}), {"candidates": [{**candidate({"text": "b"}, finish=None), "index": 1}]}
    with pytest.raises(StreamTruncated):
        run(sse(one, two))
    ended = {"candidates": [{"index": 1, "finishReason": "MAX_TOKENS"}]}
    reasons = [value["choices"][0]["finish_reason"] for value in seen(run(sse(one, two, ended)))]
    assert reasons == [None, None, "stop", "length"]


def test_the_signature_of_a_text_comes_once_at_the_end() -> None:
    events = (
        said({"text": "a", "thoughtSignature": "one"}, finish=None),
        said({"text": "", "thoughtSignature": "two"}),
    )
    message = assembled(run(sse(*events)))["message"]
    assert message["extra_content"] == {"google": {"thought_signature": "two"}}


def test_a_large_picture_fits_into_an_event() -> None:
    data = "A" * (5 << 20)
    chunks = run(sse(said({"inlineData": {"mimeType": "image/png", "data": data}})))
    assert seen(chunks)[0]["choices"][0]["delta"]["images"][0]["image_url"]["url"].endswith(data)


def test_errors_within_a_stream_keep_what_came_before() -> None:
    for error, kind in (
        ({"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}, Overloaded),
        ({"status": "RESOURCE_EXHAUSTED", "message": "Please retry in 3s."}, RateLimited),
        ({"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."}, ContextLengthExceeded),
        ("odd", ServerFault),
    ):  # fmt: skip
        decoder = chat.open_stream(call(stream=True), TARGET, OK)
        with pytest.raises(kind) as caught:
            decoder.feed(sse(said({"text": "a"}, finish=None), {"error": error}))
        assert len(caught.value.chunks) == 1
    with pytest.raises(ServerFault):
        run(sse(said({"text": "a"}, finish=None), said(finish="MALFORMED_FUNCTION_CALL")))


def test_answers_that_are_none() -> None:
    for body in (b"", b"[]", b"{}", b'{"candidates": []}', b'{"candidates": [{"content": 3}]}'):
        with pytest.raises(MalformedResponse):
            read(body)
    for piece in ({"name": ""}, {"name": "f", "willContinue": True}):
        with pytest.raises(MalformedResponse):
            read(said({"functionCall": piece}))
    with pytest.raises(Overloaded):
        read(b'[{"error": {"code": 503, "message": "later"}}]')
    with pytest.raises(UpstreamError):
        read(b'{"error": {"code": 500, "message": "no"}}')
