"""Case 87: a stream whose provider is silent is kept alive by comments, which no client mistakes for content."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import APIError, OpenAI

from tests.harness import actions as act
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.lanes import ANSWER
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import Streamed, read_stream
from tests.harness.upstream import Action, Gate, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
TEXT = "openai/chat_stream_text.sse"
PATIENT = {"first_event": "3s", "idle": "3s", "response": "3s"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[Gateway]:
    """A gateway that commits a silent stream after half a second, and gives up on the provider after three."""
    patient = {"exact": True, "timeouts": PATIENT}
    providers = {name: provider(upstream, name, **patient) for name in ("up", "spare")}
    models = {"fast": ["up/up"], "chain": ["up/up", "spare/spare"]}
    config = config_for(providers, models, server={"stream_commit": "500ms"})
    with start_gateway(tmp_path_factory.mktemp("keepalive"), secrets, config) as running:
        yield running


def silent_until(gate: Gate, then: Action) -> Action:
    return [act.wait_for(gate), *then]


def held(gateway: Gateway, upstream: Upstream, model: str, then: Action) -> Streamed:
    """Stream a call whose provider is silent until the first comment has come."""
    gate = Gate()
    upstream.slot("up").script(silent_until(gate, then))
    with gateway.client() as client:
        client.post(CHAT, chat_body(model, stream=True), KEY)
        assert client.read_head() == 200
        events = client.events()
        first = next(events)
        assert first.comment is not None, first
        gate.open()
        return Streamed(client.status, client.headers, [first, *events])


def test_case_87_a_comment_commits_the_stream(gateway: Gateway, upstream: Upstream) -> None:
    streamed = held(gateway, upstream, "fast", act.golden_stream(TEXT))
    assert (streamed.text, streamed.done) == (ANSWER, True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "x-switchgear-provider" not in streamed.headers, "nobody knew yet who would answer"
    assert streamed.headers["x-request-id"]
    gateway.record(streamed.request_id, status=200, outcome="success", provider="up", usage_source="provider")


def test_case_87_an_error_after_the_commit_is_an_event(gateway: Gateway, upstream: Upstream) -> None:
    streamed = held(gateway, upstream, "fast", act.error_reply(500))
    assert streamed.error["code"] == "upstream_error"
    assert streamed.text == ""
    gateway.record(streamed.request_id, status=200, outcome="upstream_error", error_type="upstream_error")


def test_case_87_a_fallback_is_still_possible_after_the_commit(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("spare").script(act.golden_stream(TEXT))
    streamed = held(gateway, upstream, "chain", act.error_reply(500))
    assert (streamed.text, streamed.done) == (ANSWER, True)
    gateway.record(streamed.request_id, outcome="success", provider="spare", attempts=2, fallback=True)


@pytest.mark.slow
def test_case_87_a_timeout_after_the_commit_is_an_event(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("up").script([act.hang])
    with gateway.client() as client:
        client.post(CHAT, chat_body("fast", stream=True), KEY)
        streamed = read_stream(client)
    assert streamed.error["code"] == "upstream_timeout"


def test_case_87_the_official_client_reads_over_comments(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("up").script([act.stall(0.8), *act.golden_stream(TEXT)])
    with (
        OpenAI(base_url=f"{gateway.base_url}/v1", api_key=KEY, max_retries=0) as client,
        client.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "Hi"}], stream=True
        ) as stream,
    ):
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER


def test_case_87_the_official_client_sees_the_error_behind_comments(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.slot("up").script([act.stall(0.8), *act.error_reply(503)])
    with (
        OpenAI(base_url=f"{gateway.base_url}/v1", api_key=KEY, max_retries=0) as client,
        client.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "Hi"}], stream=True
        ) as stream,
        pytest.raises(APIError) as caught,
    ):
        list(stream)
    assert caught.value.code == "upstream_overloaded"


def test_case_87_leaving_after_the_commit(gateway: Gateway, upstream: Upstream) -> None:
    slot = upstream.slot("up")
    slot.script([act.hang])
    client = gateway.client()
    client.post(CHAT, chat_body("fast", stream=True), KEY, {"x-request-id": "left-after-commit"})
    client.read_head()
    assert next(client.events()).comment is not None
    client.close()
    slot.wait_abort()
    gateway.record("left-after-commit", status=200, outcome="client_cancelled")


def test_a_whole_answer_is_not_committed_early(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("up").script([act.stall(0.8), *act.error_reply(503)])
    assert gateway.chat("fast").status == 503


@pytest.mark.slow
def test_case_87_a_comment_every_fifteen_seconds(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> None:
    patient = {"exact": True, "timeouts": {"first_event": "60s", "idle": "60s"}}
    config = config_for(
        {"slow": provider(upstream, "slow", **patient)}, {}, server={"stream_commit": "500ms"}
    )
    first, *rest = act.events_of(TEXT)
    gate = Gate()
    ending = [act.wait_for(gate), *map(act.chunk, rest), act.chunk(b"")]
    upstream.slot("slow").script(act.stream_of([first], ending))
    with (
        start_gateway(tmp_path_factory.mktemp("fifteen"), secrets, config) as gateway,
        gateway.client(timeout=40) as client,
    ):
        client.post(CHAT, chat_body("slow/slow", stream=True), KEY)
        client.read_head()
        events = client.events()
        begun = next(events)
        comments = [next(events), next(events)]
        gate.open()
        left = list(events)
    assert all(event.comment is not None for event in comments)
    assert [round((comment.at - begun.at) / 15) for comment in comments] == [1, 2]
    assert left[-1].data == "[DONE]"
