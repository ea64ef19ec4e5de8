"""What every dialect must do, whoever wrote it: each registered adapter against recorded traffic."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import StreamTruncated, UpstreamError
from providers.registry import DIALECTS, adapter_for
from providers.types import Call, Chunk, Head, Operation, RateLimits
from tests.contract import recorded
from tests.contract.recorded import CREATED, HOSTILE, OK, SECRET, Recorded

STREAMS = recorded.streams()
ANSWERS = recorded.answers()
ERRORS = recorded.errors()
IN_WORDS = (Operation.CHAT, Operation.COMPLETIONS, Operation.EMBEDDINGS)
"""The other operations are in `test_operations.py`."""
ADAPTERS = [(d, o) for d in sorted(DIALECTS) for o in IN_WORDS if adapter_for(d, o) is not None]
PROVIDER_OF = {
    "openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "ollama": "ollama",
    "blackbox": "blackbox",
    "echo": "echo",
}
ALLOWED_REASONS = {None, "stop", "length", "tool_calls", "content_filter", "function_call"}


def json_of(chunks: list[Chunk]) -> list[dict]:
    return [json.loads(chunk.data) for chunk in chunks if chunk.data]


def test_recorded_traffic_is_found():
    assert len(STREAMS) > 20
    assert len(ANSWERS) > 20
    assert len(ERRORS) > 30


SHORTEST = sorted(STREAMS, key=lambda case: len(case.data))[:8]
"""What `make test` splits at every byte; `make test-all` splits all."""


@pytest.mark.parametrize("case", SHORTEST, ids=str)
def test_short_streams_read_alike_wherever_they_are_split(case: Recorded):
    whole = recorded.read(case.open(include_usage=True), [case.data])
    for at in range(len(case.data) + 1):
        assert recorded.read(case.open(include_usage=True), [case.data[:at], case.data[at:]]) == whole


@pytest.mark.parametrize("case", STREAMS, ids=str)
class TestStreams:
    @pytest.mark.slow
    def test_reads_alike_wherever_the_network_splits_it(self, case: Recorded):
        whole = recorded.read(case.open(include_usage=True), [case.data])
        for at in range(len(case.data) + 1):
            assert recorded.read(case.open(include_usage=True), [case.data[:at], case.data[at:]]) == whole
        single_bytes = [case.data[at : at + 1] for at in range(len(case.data))]
        assert recorded.read(case.open(include_usage=True), single_bytes) == whole

    def test_reads_alike_with_other_line_ends(self, case: Recorded):
        whole = recorded.read(case.open(), [case.data])
        assert recorded.read(case.open(), [case.data.replace(b"\n", b"\r\n")]) == whole

    def test_a_stream_cut_before_its_end_is_an_error(self, case: Recorded):
        # An event counts when its blank line has come: cut inside each, and behind each.
        events = case.data.split(b"\n\n")
        broken = 0
        for count in range(len(events)):
            head = b"\n\n".join(events[:count]) + b"\n\n" * bool(count)
            decoder = case.open()
            decoder.feed(head + events[count][: len(events[count]) // 2])
            try:
                decoder.close()
            except StreamTruncated:
                broken += 1
                continue
            # From here on the end was there.
            assert b"finish_reason" in head or b"message_stop" in head or b"[DONE]" in head
        assert broken >= 1

    def test_usage_arrives_whether_the_client_asked_or_not(self, case: Recorded):
        if b'"usage":{' not in case.data:
            pytest.skip("this provider told no usage")
        for asked in (False, True):
            counts = [c.usage for c in recorded.read(case.open(include_usage=asked), [case.data]) if c.usage]
            assert counts
            assert counts[-1].output_tokens > 0

    def test_the_usage_event_is_there_if_asked_for_only(self, case: Recorded):
        if b'"usage":{' not in case.data:
            pytest.skip("this provider told no usage")
        silent = json_of(recorded.read(case.open(), [case.data]))
        assert all(event["choices"] and not event.get("usage") for event in silent)
        *others, last = json_of(recorded.read(case.open(include_usage=True), [case.data]))
        assert all(event["choices"] and event["usage"] is None for event in others)
        assert last["choices"] == []
        assert (
            last["usage"]["total_tokens"]
            == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]
        )

    def test_every_event_is_one_line_that_any_client_reads(self, case: Recorded):
        roles: dict[int, int] = {}
        calls: dict[tuple[int, int], dict[str, int]] = {}
        ends: dict[int, int] = {}
        for chunk in recorded.read(case.open(), [case.data]):
            assert b"\n" not in chunk.data
        for event in json_of(recorded.read(case.open(), [case.data])):
            assert isinstance(event["id"], str)
            assert isinstance(event["created"], int)
            assert isinstance(event["model"], str)
            for choice in event["choices"]:
                assert choice["finish_reason"] in ALLOWED_REASONS
                index = choice["index"]
                ends[index] = ends.get(index, 0) + bool(choice["finish_reason"])
                delta = choice.get("delta", {})
                roles[index] = roles.get(index, 0) + ("role" in delta)
                for call in delta.get("tool_calls") or ():
                    seen = calls.setdefault((index, call["index"]), {"id": 0, "type": 0, "name": 0})
                    seen["id"] += "id" in call
                    seen["type"] += "type" in call
                    seen["name"] += "name" in call["function"]
        assert set(ends.values()) == {1}
        if case.operation is Operation.CHAT:
            assert set(roles.values()) == {1}
        assert all(seen == {"id": 1, "type": 1, "name": 1} for seen in calls.values())
        for index in ends:
            numbers = [number for choice, number in calls if choice == index]
            assert numbers == list(range(len(numbers)))

    def test_the_bytes_of_text_are_those_of_the_texts(self, case: Recorded):
        for chunk in recorded.read(case.open(), [case.data]):
            event = json.loads(chunk.data) if chunk.data else {"choices": []}
            texts = []
            for choice in event["choices"]:
                delta = choice.get("delta", choice)
                texts += [delta.get(name) for name in ("content", "text", "reasoning_content", "refusal")]
                texts += [call["function"]["arguments"] for call in delta.get("tool_calls") or ()]
            assert chunk.text_bytes == sum(len(text.encode()) for text in texts if text)

    def test_garbage_behind_a_finished_stream_is_ignored(self, case: Recorded):
        decoder = case.open()
        decoder.feed(case.data)
        if not decoder.finished:
            pytest.skip("this stream ends with the connection")
        assert list(decoder.feed(b"data: garbage\n\n")) == []
        assert list(decoder.close()) == []

    def test_an_event_that_is_not_json_keeps_what_came_before(self, case: Recorded):
        first, _, _ = case.data.partition(b"\n\n")
        while b"data: {" not in first or not list(case.open().feed(first + b"\n\n")):
            cut = len(first) + 2
            first += b"\n\n" + case.data[cut:].partition(b"\n\n")[0]
        before = list(case.open().feed(first + b"\n\n"))
        with pytest.raises(UpstreamError) as caught:
            case.open().feed(first + b"\n\ndata: {oops\n\n")
        assert list(caught.value.chunks) == before


@pytest.mark.parametrize("case", ANSWERS, ids=str)
class TestAnswers:
    def test_reads_to_an_openai_body_with_usage_and_model(self, case: Recorded):
        reply = case.adapter.parse_response(case.call(), case.target(), OK, case.data)
        body = json.loads(reply.body)
        assert reply.usage is not None
        assert reply.model == json.loads(case.data).get("model")
        if case.operation is Operation.EMBEDDINGS:
            assert all(item["object"] == "embedding" for item in body["data"])
            return
        assert body["id"]
        assert isinstance(body["created"], int)
        for choice in body["choices"]:
            assert choice["finish_reason"] in ALLOWED_REASONS - {None}
            if case.operation is Operation.CHAT:
                assert "content" in choice["message"]
        assert body["usage"]["total_tokens"] == reply.usage.input_tokens + reply.usage.output_tokens

    def test_every_shorter_body_is_an_upstream_error(self, case: Recorded):
        for size in range(0, len(case.data.strip()), 7):
            with pytest.raises(UpstreamError):
                case.adapter.parse_response(case.call(), case.target(), OK, case.data[:size])


def test_missing_id_and_time_come_from_the_call():
    case = next(c for c in ANSWERS if c.provider == "groq")
    body = json.loads(case.data)
    for name in ("id", "created", "object", "model"):
        del body[name]
    reply = case.adapter.parse_response(case.call(), case.target(), OK, json.dumps(body).encode())
    filled = json.loads(reply.body)
    assert filled["id"] == "chatcmpl-abc"
    assert filled["created"] == CREATED
    assert filled["object"] == "chat.completion"
    assert filled["model"] == "some-model"
    assert reply.model is None


@pytest.mark.parametrize("case", ERRORS, ids=str)
def test_recorded_errors_have_a_message_and_clean_codes(case: Recorded):
    error = case.adapter.parse_error(case.head, case.data, CREATED)
    assert error.message
    assert not error.message.startswith(("{", "["))
    assert error.code is None or isinstance(error.code, str)
    assert error.status == case.status


@pytest.mark.parametrize(("dialect", "operation"), ADAPTERS)
class TestHostileInput:
    @given(status=st.integers(300, 999), body=st.binary(max_size=200), wait=st.text(max_size=20))
    def test_parse_error_takes_any_bytes(
        self, dialect: str, operation: Operation, status: int, body: bytes, wait: str
    ):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        error = adapter.parse_error(
            Head(status, {"retry-after": wait, "retry-after-ms": wait}), body, CREATED
        )
        assert isinstance(error, UpstreamError)
        assert error.retry_after is None or 0 <= error.retry_after <= 86_400

    @given(status=st.integers(300, 999), body=HOSTILE)
    def test_parse_error_takes_any_json(self, dialect: str, operation: Operation, status: int, body: object):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        for value in (body, {"error": body}, {"detail": body}, [{"error": body}], {"message": body}):
            error = adapter.parse_error(Head(status, {}), json.dumps(value).encode(), CREATED)
            assert isinstance(error.message, str)
            assert isinstance(error.code, str | None)
            assert isinstance(error.type, str | None)
            assert isinstance(error.param, str | None)

    @given(body=HOSTILE)
    def test_answers_fail_with_upstream_errors_only(self, dialect: str, operation: Operation, body: object):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        counts = {"prompt_tokens": 1, "completion_tokens": body, "prompt_tokens_details": body}
        said = {
            "content": [{"type": body, "text": body}],
            "tool_calls": [{"function": {"name": "f", "arguments": body}}],
        }
        near = {"choices": [{"message": said, "logprobs": body, "finish_reason": body}], "usage": counts}
        for exact in (True, False):
            target = recorded.target(PROVIDER_OF[dialect], exact=exact)
            for value in (
                body,
                near,
                {"choices": [body]},
                {"data": [body]},
                {"content": [body], "usage": body},
            ):
                with suppress(UpstreamError):
                    adapter.parse_response(recorded.call(operation), target, OK, json.dumps(value).encode())

    @given(data=st.binary(max_size=200))
    def test_answers_of_any_bytes_fail_with_upstream_errors_only(
        self, dialect: str, operation: Operation, data: bytes
    ):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        with pytest.raises(UpstreamError):
            adapter.parse_response(recorded.call(operation), recorded.target(PROVIDER_OF[dialect]), OK, data)

    @given(body=HOSTILE)
    def test_events_fail_with_upstream_errors_only(self, dialect: str, operation: Operation, body: object):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        near = {"choices": [{"delta": body, "text": body}]}
        call = {"index": body, "id": body, "function": {"name": body, "arguments": body}}
        said = {"content": [{"type": body, "text": body}], "reasoning": body, "tool_calls": [call, call]}
        calls = {
            "choices": [{"index": body, "delta": said, "finish_reason": body}],
            "model": body,
            "created": body,
        }
        for exact in (True, False):
            target = recorded.target(PROVIDER_OF[dialect], exact=exact)
            for value in (body, near, calls, {"choices": [body]}, {"usage": body, "choices": []}):
                with suppress(UpstreamError):
                    decoder = adapter.open_stream(recorded.call(operation, stream=True), target, OK)
                    decoder.feed(b"data: " + json.dumps(value).encode() + b"\n\n")
                    decoder.close()

    @given(data=st.binary(max_size=100))
    def test_streams_of_any_bytes_end_in_upstream_errors_only(
        self, dialect: str, operation: Operation, data: bytes
    ):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        case = recorded.Recorded(PROVIDER_OF[dialect], operation, "", data)
        with pytest.raises(UpstreamError):
            recorded.read(case.open(), [data])

    def test_deep_nesting_is_an_upstream_error(self, dialect: str, operation: Operation):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        deep = b'{"choices":' + b"[" * 100_000
        for exact in (True, False):
            target = recorded.target(PROVIDER_OF[dialect], exact=exact)
            with pytest.raises(UpstreamError):
                adapter.parse_response(recorded.call(operation), target, OK, deep)
        assert isinstance(adapter.parse_error(Head(500, {}), deep, CREATED), UpstreamError)

    @given(headers=st.dictionaries(
        st.sampled_from([
            "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-requests",
            "x-ratelimit-reset-tokens", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
        ]), st.text(max_size=20) | st.from_regex(r"[0-9]{1,20}(ms|s|m|h)?", fullmatch=True),
    ))  # fmt: skip
    def test_parse_limits_takes_any_headers(
        self, dialect: str, operation: Operation, headers: dict[str, str]
    ):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        limits = adapter.parse_limits(Head(200, headers), CREATED)
        assert limits is None or isinstance(limits, RateLimits)

    def test_the_credential_is_sent_and_never_shown(self, dialect: str, operation: Operation):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        target = recorded.target(PROVIDER_OF[dialect])
        request = adapter.build_request(recorded.call(operation), target)
        assert any(SECRET in value for _, value in request.headers)
        assert SECRET not in repr(target) + repr(request) + str(request)
        assert SECRET.encode() not in request.body
        assert ("accept-encoding", "identity") in request.headers

    def test_a_target_without_a_credential_sends_none(self, dialect: str, operation: Operation):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        row = recorded.target(PROVIDER_OF[dialect])
        bare = type(row)(provider="p", dialect=dialect, base_url="http://p.test", model="m", max_tokens=9)
        request = adapter.build_request(recorded.call(operation), bare)
        assert not {"authorization", "x-api-key"} & {name for name, _ in request.headers}

    def test_the_clients_body_is_left_as_it_was(self, dialect: str, operation: Operation):
        adapter = adapter_for(dialect, operation)
        assert adapter is not None
        call = recorded.call(
            operation, temperature=0.5, stream_options={"x": 1}, stream=operation is Operation.CHAT
        )
        before = json.dumps(call.body)
        target = recorded.target(PROVIDER_OF[dialect])
        with suppress(UpstreamError):
            adapter.build_request(call, target)
        assert json.dumps(call.body) == before


@pytest.mark.parametrize("dialect", ["openai", "echo"])
@pytest.mark.parametrize("operation", IN_WORDS)
@given(extra=HOSTILE)
def test_unknown_fields_survive_in_the_same_dialect(dialect: str, operation: Operation, extra: object):
    adapter = adapter_for(dialect, operation)
    assert adapter is not None
    # JSON has no NaN, and equality with it would say nothing.
    text = json.dumps(extra).replace("NaN", "0").replace("-Infinity", "0").replace("Infinity", "0")
    call = recorded.call(operation, x_new_field=json.loads(text))
    request = adapter.build_request(call, recorded.target(dialect))
    assert json.loads(request.body) == {**call.body, "model": "some-model"}


@pytest.mark.parametrize("case", [c for c in STREAMS if c.exact], ids=str)
def test_both_lanes_mean_and_account_the_same(case: Recorded):
    clean = Recorded(case.provider, case.operation, case.name, case.data, exact=False)
    for asked in (True, False):
        exact_chunks = recorded.read(case.open(include_usage=asked), [case.data])
        clean_chunks = recorded.read(clean.open(include_usage=asked), [case.data])
        exact_usage = [c.usage for c in exact_chunks if c.usage]
        assert exact_usage == [c.usage for c in clean_chunks if c.usage]
        assert [c.text_bytes for c in exact_chunks if c.text_bytes] == [
            c.text_bytes for c in clean_chunks if c.text_bytes
        ]
        assert {c.model for c in exact_chunks} == {c.model for c in clean_chunks if c.model}
        exact_events, clean_events = json_of(exact_chunks), json_of(clean_chunks)
        if not asked or not exact_usage:
            # The one difference: `usage: null` is what OpenAI sends because the gateway asked.
            for event in (*exact_events, *clean_events):
                event.pop("usage", None)
        assert exact_events == clean_events


@pytest.mark.parametrize("case", [c for c in ANSWERS if c.exact], ids=str)
def test_both_lanes_read_whole_answers_the_same(case: Recorded):
    clean = Recorded(case.provider, case.operation, case.name, case.data, exact=False)
    a, b = (c.adapter.parse_response(c.call(), c.target(), OK, c.data) for c in (case, clean))
    assert a.body == case.data
    assert (a.usage, a.model) == (b.usage, b.model)
    assert json.loads(a.body) == json.loads(b.body)


def test_a_call_knows_whether_it_streams():
    assert isinstance(recorded.call(Operation.CHAT, stream=True), Call)
    assert recorded.call(Operation.CHAT, stream=True).stream
