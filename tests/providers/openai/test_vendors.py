"""Vendor by vendor, as the catalogue's rows describe them: what is sent to each, what is refused, what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers import errors as e
from providers.openai import chat, completions, embeddings
from providers.openai.limits import parse_limits
from providers.types import Call, Head, Operation, RateLimits, Usage
from tests.contract import recorded
from tests.contract.recorded import CREATED, GOLDEN, OK

HELLO = [{"role": "user", "content": "Hello"}]
TEXTS = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
IMAGE = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
PDF = "data:application/pdf;base64,JVBERi0="
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}
UPLOADED = {"type": "file", "file": {"file_id": "file-1"}}
NEUTRAL = {"n": 1, "store": False, "modalities": ["text"], "verbosity": "medium", "logit_bias": None}
"""What frameworks fill in though it says what holds anyway."""
LABELS = {"user": "u", "metadata": {"a": "b"}, "safety_identifier": "s"}
PREFERENCES = {
    "provider": {"order": ["anthropic"], "allow_fallbacks": False, "data_collection": "deny", "max_price": {"prompt": 1}},
    "models": ["a/b", "c/d"], "reasoning": {"effort": "high", "exclude": True}, "plugins": [{"id": "web"}],
    "top_k": 5, "min_p": 0.1, "route": "fallback",
}  # fmt: skip
GUIDED = {
    "structured_outputs": {"regex": "a+"}, "guided_json": {"type": "object"}, "min_p": 0.1, "top_k": 5,
    "chat_template_kwargs": {"enable_thinking": False}, "stop_token_ids": [1], "priority": 1, "cache_salt": "s",
}  # fmt: skip
GRAMMAR = {
    "grammar": 'root ::= "a"', "json_schema": {"type": "object"}, "cache_prompt": True, "timings_per_token": True,
    "reasoning_format": "deepseek", "samplers": ["top_k"], "n_predict": 5, "id_slot": 1,
}  # fmt: skip

SENT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("xai", {**NEUTRAL, **LABELS, "stop": "x"}, {"n": 1, "user": "u", "stop": ["x"]}),
    ("xai", {"service_tier": "auto", "functions": [], "deferred": False, "prediction": {"content": "x"}}, {}),
    ("xai", {"search_parameters": {"mode": "auto"}, "reasoning_effort": "high"}, {"search_parameters": {"mode": "auto"}, "reasoning_effort": "high"}),
    ("openrouter", PREFERENCES, PREFERENCES),
    ("openrouter", {"n": 1, "store": False, **LABELS}, LABELS),
    ("blackbox", {**NEUTRAL, **LABELS, "max_completion_tokens": 9}, {"modalities": ["text"], "verbosity": "medium", "logit_bias": None, "max_tokens": 9}),
    ("mistral", {**NEUTRAL, **LABELS, "seed": 1, "logprobs": None}, {"n": 1, "metadata": {"a": "b"}, "random_seed": 1, "logprobs": None}),
    ("mistral", {"service_tier": "default", "prompt_cache_key": "k", "prompt_cache_retention": "24h"}, {"service_tier": "standard_only", "prompt_cache_key": "k"}),
    ("mistral", {"safe_prompt": True, "prompt_mode": "reasoning"}, {"safe_prompt": True, "prompt_mode": "reasoning"}),
    ("groq", {**NEUTRAL, **LABELS, "logprobs": False, "frequency_penalty": 0}, {"user": "u"}),
    ("groq", {"service_tier": "default", "prompt_cache_key": "k"}, {}),
    ("groq", {"service_tier": "flex", "reasoning_format": "parsed", "seed": 1}, {"service_tier": "flex", "reasoning_format": "parsed", "seed": 1}),
    ("deepseek", {**NEUTRAL, **LABELS, "parallel_tool_calls": True, "max_completion_tokens": 9}, {"max_tokens": 9}),
    ("deepseek", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    ("deepseek", {"reasoning_effort": "high", "thinking": {"type": "enabled"}}, {"reasoning_effort": "high", "thinking": {"type": "enabled"}}),
    ("together", {**NEUTRAL, **LABELS, "stop": "x", "logprobs": True, "top_logprobs": 2}, {"n": 1, "logit_bias": None, "stop": ["x"], "logprobs": 2}),
    ("together", {"repetition_penalty": 1.1, "context_length_exceeded_behavior": "error"}, {"repetition_penalty": 1.1, "context_length_exceeded_behavior": "error"}),
    ("fireworks", {**NEUTRAL, **LABELS}, {"n": 1, "logit_bias": None, "user": "u", "metadata": {"a": "b"}}),
    ("fireworks", {"prompt_truncate_len": 5, "reasoning_history": "x", "service_tier": "priority"}, {"prompt_truncate_len": 5, "reasoning_history": "x", "service_tier": "priority"}),
    ("vllm", GUIDED, GUIDED),
    ("llamacpp", GRAMMAR, GRAMMAR),
]  # fmt: skip

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("xai", {"logit_bias": {"1": 1}}),
    ("xai", {"service_tier": "priority"}),
    ("xai", {"deferred": True}),
    ("xai", {"functions": [{"name": "f"}]}),
    ("xai", {"store": True}),
    ("openrouter", {"n": 2}),
    ("openrouter", {"store": True}),
    ("blackbox", {"n": 2}),
    ("blackbox", {"reasoning_effort": "high"}),
    ("mistral", {"logit_bias": {"1": 1}}),
    ("mistral", {"web_search_options": {}}),
    ("mistral", {"modalities": ["text", "audio"]}),
    ("groq", {"n": 2}),
    ("groq", {"logprobs": True}),
    ("groq", {"presence_penalty": 1}),
    ("deepseek", {"seed": 1}),
    ("deepseek", {"n": 2}),
    ("deepseek", {"parallel_tool_calls": False}),
    ("together", {"parallel_tool_calls": False}),
    ("together", {"verbosity": "low"}),
    ("fireworks", {"modalities": ["audio"]}),
    ("vllm", {"functions": [{"name": "f"}]}),
    ("llamacpp", {"store": True}),
]


def sent(vendor: str, body: dict[str, Any], drop: frozenset[str] = frozenset()) -> dict[str, Any]:
    target = recorded.target(vendor)
    if drop:
        target = type(target)(
            **{**{f: getattr(target, f) for f in target.__slots__}, "drop": target.drop | drop}
        )
    call = Call(Operation.CHAT, "m", {"messages": HELLO, **body})
    return json.loads(chat.build_request(call, target).body)


def test_each_vendor_gets_what_it_takes_in_its_own_spelling():
    for vendor, asked, expected in SENT:
        got = sent(vendor, asked)
        assert got == {"model": "some-model", "messages": HELLO, **expected}, (vendor, asked)


def test_recorded_requests_are_what_openais_fields_become():
    for vendor, changed in (
        ("deepseek", {"max_tokens": "max_completion_tokens"}),
        ("mistral", {"random_seed": "seed", "max_tokens": "max_completion_tokens"}),
        ("openrouter", {}),
    ):
        recorded_body = json.loads(golden(f"{vendor}/chat_request.json"))
        asked = {changed.get(name, name): value for name, value in recorded_body.items() if name != "model"}
        if asked["messages"][0]["role"] == "system":
            asked["messages"] = [{**asked["messages"][0], "role": "developer"}, *asked["messages"][1:]]
        assert sent(vendor, asked) == {**recorded_body, "model": "some-model"}, vendor


def test_googles_own_openai_form_ends_once_and_keeps_its_signatures():
    options = {"include_usage": True}
    said, usage = stream("vllm", golden("gemini_compat/stream_tool_call.sse"), stream_options=options)
    (call,) = said[0]["choices"][0]["delta"]["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("function-call-1234567890", "get_weather")
    assert call["extra_content"]["google"]["thought_signature"].startswith("CiQB")
    ends = [choice["finish_reason"] for event in said for choice in event["choices"]]
    assert [end for end in ends if end] == ["tool_calls"]
    assert [event["choices"][0]["delta"].get("role") for event in said[:-1]].count("assistant") == 1
    assert usage == Usage(60, 15)
    told = [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]
    error = chat.parse_error(Head(400, {}), json.dumps(told).encode(), CREATED)
    assert type(error) is e.CredentialRejected


def test_mistral_gets_the_messages_of_earlier_turns_as_its_closed_schema_has_them():
    said = {
        "role": "assistant",
        "content": "18",
        "refusal": None,
        "annotations": [],
        "reasoning_content": "Hm.",
    }
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    for message, expected in (
        (said, {"role": "assistant", "content": [thinking, {"type": "text", "text": "18"}]}),
        ({**said, "content": None}, {"role": "assistant", "content": [thinking]}),
        ({**said, "reasoning_content": ""}, {"role": "assistant", "content": "18"}),
        (
            {"role": "user", "content": [sound]},
            {"role": "user", "content": [{**sound, "input_audio": "AAAA"}]},
        ),
    ):
        assert sent("mistral", {"messages": [message]})["messages"] == [expected]


def test_xai_takes_the_key_of_the_cache_in_a_header():
    for key, expected in (("thread-1", "thread-1"), ("é", None), ("a\r\nb", None), ("", None), (3, None)):
        call = Call(Operation.CHAT, "m", {"messages": HELLO, "prompt_cache_key": key})
        request = chat.build_request(call, recorded.target("xai"))
        assert dict(request.headers).get("x-grok-conv-id") == expected
        assert b"prompt_cache_key" not in request.body


def test_what_a_vendor_would_refuse_or_forget_is_refused_by_name_unless_dropped():
    for vendor, asked in REFUSED:
        (name,) = asked
        with pytest.raises(e.UnsupportedParameter) as caught:
            sent(vendor, asked)
        assert caught.value.param == name, (vendor, asked)
        assert f"{vendor}/some-model" in caught.value.message
        assert name not in sent(vendor, asked, frozenset({name}))


def test_parts_of_messages_in_a_vendors_spelling():
    cases = [
        ("deepseek", TEXTS, "Hello"),
        ("deepseek", [], []),
        ("mistral", [*TEXTS, FILE, IMAGE], [*TEXTS, {"type": "document_url", "document_url": PDF, "document_name": "a.pdf"}, IMAGE]),
        ("mistral", [UPLOADED], [{"type": "file", "file_id": "file-1"}]),
        ("fireworks", [*TEXTS, IMAGE], [*TEXTS, IMAGE]),
    ]  # fmt: skip
    for vendor, given, expected in cases:
        (got,) = sent(vendor, {"messages": [{"role": "user", "content": given}]})["messages"]
        assert got["content"] == expected, (vendor, given)


def test_parts_that_no_model_of_a_vendor_takes_are_refused_by_their_place():
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    for vendor, part, word in (
        ("deepseek", IMAGE, "picture"),
        ("deepseek", FILE, "file"),
        ("groq", sound, "sound"),
        ("groq", UPLOADED, "file"),
        ("xai", sound, "sound"),
        ("xai", FILE, "file"),
        ("blackbox", sound, "sound"),
        ("ollama", FILE, "file"),
    ):
        with pytest.raises(e.UnsupportedParameter, match=word) as caught:
            sent(vendor, {"messages": [*HELLO, {"role": "user", "content": [*TEXTS, part]}]})
        assert caught.value.param == "messages[1].content[2]", vendor
        assert f"`{vendor}/some-model`" in caught.value.message
    with pytest.raises(e.UnsupportedParameter, match="ollama/some-model.*data:") as caught:
        sent("ollama", {"messages": [{"role": "user", "content": [IMAGE]}]})
    assert caught.value.param == "messages[0].content[0].image_url"
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert sent("ollama", {"messages": [{"role": "user", "content": [data]}]})
    for given in (None, "Hi", [None, {"type": 5}, {"type": "x"}]):
        assert sent("groq", {"messages": [{"role": "user", "content": given}, 5]})["messages"][1] == 5


def test_deepseek_gives_json_but_for_no_schema():
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    with pytest.raises(e.UnsupportedParameter, match="deepseek/some-model.*response_format.*json_object"):
        sent("deepseek", {"response_format": schema})
    assert "response_format" not in sent(
        "deepseek", {"response_format": schema}, frozenset({"response_format"})
    )
    plain = {"response_format": {"type": "json_object"}}
    assert sent("deepseek", plain)["response_format"] == plain["response_format"]


def test_deepseek_completes_code_with_a_suffix_at_an_address_of_its_own():
    asked: dict[str, Any] = {"prompt": "def f(", "suffix": "return x", "max_tokens": 9, "n": 1, "best_of": 1}
    call = Call(Operation.COMPLETIONS, "m", asked)
    request = completions.build_request(call, recorded.target("deepseek"))
    assert request.url == "https://api.deepseek.com/beta/completions"
    assert json.loads(request.body) == {
        "model": "some-model",
        "prompt": "def f(",
        "suffix": "return x",
        "max_tokens": 9,
    }
    for field in ("n", "best_of"):
        with pytest.raises(e.UnsupportedParameter, match=field):
            completions.build_request(
                Call(Operation.COMPLETIONS, "m", {**asked, field: 2}), recorded.target("deepseek")
            )


def test_vectors_of_together_have_one_length():
    call = Call(Operation.EMBEDDINGS, "m", {"input": ["a"], "dimensions": 256})
    with pytest.raises(e.UnsupportedParameter, match="together/some-model.*dimensions"):
        embeddings.build_request(call, recorded.target("together"))
    assert embeddings.build_request(call, recorded.target("vllm"))


def test_reasoning_goes_back_where_the_next_turn_needs_it():
    said = {
        "role": "assistant", "content": "", "reasoning_content": "Hm.", "reasoning_details": [{"type": "reasoning.text", "signature": "s"}],
        "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }  # fmt: skip
    for vendor in ("deepseek", "openrouter", "llamacpp"):
        assert sent(vendor, {"messages": [*HELLO, said]})["messages"][1] == said, vendor
    # Another vendor's signatures are none of its schema's.
    kept = {name: value for name, value in said.items() if name != "reasoning_details"}
    assert sent("fireworks", {"messages": [*HELLO, said]})["messages"][1] == kept


ERRORS: list[tuple[str, int, Any, type[e.UpstreamError]]] = [
    ("xai", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***. You can obtain an API key from https://console.x.ai."}, e.CredentialRejected),
    ("xai", 401, {"code": "unauthenticated", "error": "No Authorization header"}, e.CredentialRejected),
    ("xai", 403, {"code": "The caller does not have permission", "error": "Content violates usage guidelines."}, e.ContentPolicyViolation),
    ("xai", 403, {"code": "The caller does not have permission", "error": "Your team is blocked."}, e.CredentialRejected),
    ("xai", 422, b"Failed to deserialize the JSON body into the target type: messages[0]: x", e.RequestRejected),
    ("xai", 429, {"code": "Some resource has been exhausted", "error": "used all available credits or reached its monthly spending limit"}, e.QuotaExhausted),
    ("openrouter", 404, {"error": {"code": 404, "message": "No endpoints found that support tool use"}}, e.ModelNotFound),
    ("openrouter", 429, {"error": {"code": 429, "message": "m", "availability": {"code": "capacity_exhausted", "retryable": True, "retry_after": 3}}}, e.RateLimited),
    ("openrouter", 502, b"<html></html>", e.ServerFault),
    ("blackbox", 400, {"error": {"message": "Invalid model name passed in model=x", "code": "400"}}, e.ModelNotFound),
    ("blackbox", 429, {"error": "Budget has been exceeded! Current cost: 1"}, e.QuotaExhausted),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "x"}, e.CredentialRejected),
    ("mistral", 400, {"object": "error", "message": "Expected last role User", "type": "invalid_request_message_order", "code": "3230"}, e.RequestRejected),
    ("groq", 400, {"error": {"message": "m", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "<f>"}}, e.RequestRejected),
    ("groq", 424, {"error": {"message": "m"}}, e.ServerFault),
    ("deepseek", 400, {"error": {"message": "This response_format type is unavailable now", "type": "invalid_request_error"}}, e.UnsupportedParameter),
    ("deepseek", 402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, e.QuotaExhausted),
    ("deepseek", 422, b"Failed to deserialize the JSON body", e.RequestRejected),
    ("openrouter", 429, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000."}}, e.QuotaExhausted),
    ("together", 403, {"error": {"message": "`inputs` tokens + `max_new_tokens` must be <= 8193"}}, e.ContextLengthExceeded),
    ("together", 429, {"id": "x", "error": {"message": "m", "type": "dynamic_token_limited", "param": None, "code": None}}, e.RateLimited),
    ("together", 503, {"error": {"message": "m", "type": "service_unavailable"}}, e.Overloaded),
    ("fireworks", 400, {"error": {"message": "The prompt is too long: 9, model maximum context length: 8"}}, e.ContextLengthExceeded),
    ("fireworks", 400, {"error": {"message": "Extra inputs are not permitted, field: 'foo'"}}, e.UnsupportedParameter),
    ("fireworks", 401, {"error": "unauthorized"}, e.CredentialRejected),
    ("fireworks", 503, {"error": {"message": "m", "code": "DEPLOYMENT_SCALING_UP"}}, e.Overloaded),
    ("vllm", 400, {"object": "error", "message": "This model's maximum context length is 9 tokens. However, you requested 10", "type": "BadRequestError", "code": 400}, e.ContextLengthExceeded),
    ("vllm", 400, {"error": {"message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser', "code": 400}}, e.UnsupportedParameter),
    ("llamacpp", 500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}, e.UnsupportedParameter),
    ("llamacpp", 501, {"error": {"code": 501, "message": "m", "type": "not_supported_error"}}, e.UnsupportedParameter),
]  # fmt: skip


def test_what_each_vendors_refusals_mean():
    for vendor, status, body, kind in ERRORS:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        error = chat.parse_error(Head(status, {}), data, CREATED)
        assert type(error) is kind, (vendor, status, body)


def stream(vendor: str, data: bytes, **fields: Any) -> tuple[list[dict[str, Any]], Usage | None]:
    call = Call(Operation.CHAT, "m", {"stream": True, **fields}, "abc", CREATED)
    chunks = recorded.read(chat.open_stream(call, recorded.target(vendor), OK), [data])
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    return [json.loads(chunk.data) for chunk in chunks if chunk.data], usages[-1] if usages else None


def sse(*events: Any, done: bool = True) -> bytes:
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    return data + b"data: [DONE]\n\n" * done


def piece(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_xai_counts_reasoning_in_streams_and_answers():
    _, usage = stream("xai", golden("xai/stream_tool_call.sse"))
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (307, 253, 227)


def test_openrouter_comments_are_nothing_and_an_error_under_a_200_is_one():
    said, usage = stream("openrouter", b": OPENROUTER PROCESSING\n\n" + golden("openrouter/stream_text.sse"))
    assert said[0]["choices"][0]["delta"]["role"] == "assistant"
    assert usage is not None
    with pytest.raises(e.ServerFault) as caught:
        stream("openrouter", golden("openrouter/stream_error_midway.sse"))
    assert caught.value.chunks
    target, call = recorded.target("openrouter"), recorded.call(Operation.CHAT)
    bodies = [
        {"error": {"code": 429, "message": "slow"}},
        {
            "choices": [
                {
                    "finish_reason": "error",
                    "error": {"code": 429, "message": "slow"},
                    "message": {"content": ""},
                }
            ]
        },
    ]
    for body in bodies:
        with pytest.raises(e.RateLimited):
            chat.parse_response(call, target, OK, json.dumps(body).encode())
    body = json.loads(golden("openrouter/chat_response.json"))
    read = json.loads(chat.parse_response(call, target, OK, b"   \n" + json.dumps(body).encode()).body)
    assert (read["provider"], read["usage"]["cost"]) == (body["provider"], body["usage"]["cost"])


def test_groq_tells_usage_and_errors_in_its_own_field():
    counts = {"prompt_tokens": 226, "completion_tokens": 15, "total_tokens": 241}
    told = {"x_groq": {"id": "req_1", "usage": counts}}
    assert stream("groq", sse(piece({"content": "a"}), piece({}, "stop", **told)))[1] == Usage(226, 15)
    both = {**told, "usage": {**counts, "queue_time": 0.1}}
    said, usage = stream(
        "groq",
        sse(piece({"content": "a"}), piece({}, "stop", **both)),
        stream_options={"include_usage": True},
    )
    assert usage == Usage(226, 15)
    assert said[-1]["usage"]["queue_time"] == 0.1
    broken = sse(
        piece({"content": "a"}),
        {"choices": [], "x_groq": {"error": {"message": "m", "code": "rate_limit_exceeded"}}},
    )
    named = b'event: error\ndata: {"error":{"message":"m","type":"x","code":"c","status_code":429}}\n\n'
    for data in (broken, sse(piece({"content": "a"}), done=False) + named):
        with pytest.raises(e.RateLimited) as caught:
            stream("groq", data)
        assert len(caught.value.chunks) == 1


def test_deepseek_keeps_alive_before_streams_and_answers():
    said, usage = stream("deepseek", golden("deepseek/stream_text_keepalive.sse"))
    assert "".join(event["choices"][0]["delta"].get("reasoning_content") or "" for event in said)
    assert usage is not None
    assert usage.reasoning_tokens > 0
    reply = chat.parse_response(
        recorded.call(Operation.CHAT), recorded.target("deepseek"), OK,
        b"\n\n\n\n" + golden("deepseek/chat_response_reasoning.json"),
    )  # fmt: skip
    assert json.loads(reply.body)["choices"][0]["message"]["reasoning_content"]


def test_llamacpp_and_vllm_extras_stay():
    timings = {"timings": {"predicted_per_second": 50.5}}
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    data = sse(
        piece({"role": "assistant", "content": None}, prompt_progress={"total": 9, "processed": 3}),
        piece({"content": "a"}),
        piece({}, "stop"),
        {"id": "x", "model": "m", "choices": [], "usage": counts, **timings},
    )
    said, usage = stream("llamacpp", data, stream_options={"include_usage": True})
    assert usage == Usage(1, 1)
    assert said[0]["prompt_progress"] == {"total": 9, "processed": 3}
    assert said[-1]["timings"] == timings["timings"]
    ended = {"stop_reason": 128, "token_ids": [1]}
    data = sse(
        {
            "id": "x",
            "model": "m",
            "choices": [
                {"index": 0, "delta": {"content": "a", "reasoning": "Hm."}, "finish_reason": "stop", **ended}
            ],
        }
    )
    (event,), _ = stream("vllm", data)
    assert event["choices"][0] | ended == event["choices"][0]
    assert event["choices"][0]["delta"]["reasoning_content"] == "Hm."
    for bad in (
        {"error": {"message": "m", "type": "InternalServerError", "param": None, "code": 500}},
        {"object": "error", "message": "m", "type": "InternalServerError", "param": None, "code": 500},
    ):
        with pytest.raises(e.ServerFault):
            stream("vllm", sse(piece({"content": "a"}), bad))


def test_together_and_blackbox_end_in_their_own_words():
    said, _ = stream("together", golden("together/stream_text.sse"))
    assert [event["choices"][0]["delta"].get("role") for event in said].count("assistant") == 1
    assert (
        stream("together", sse(piece({"content": "a"}), piece({}, "eos")))[0][-1]["choices"][0][
            "finish_reason"
        ]
        == "stop"
    )
    said, _ = stream("blackbox", golden("blackbox/stream_text.sse"))
    assert said[-1]["choices"][0]["finish_reason"] == "stop"


def test_fireworks_tells_limits_by_its_own_names():
    headers = {"x-ratelimit-remaining-requests": "59", "x-ratelimit-remaining-tokens-prompt": "60000"}
    assert parse_limits(Head(200, headers), CREATED) == RateLimits(59, 60000)
    assert parse_limits(Head(200, {"x-ratelimit-remaining-req-10-second": "3"}), CREATED) == RateLimits(3)
