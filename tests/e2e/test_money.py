"""What a call costs, wherever it is told: in the answer, in the log, in the ledger. And the tags beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import stream_chat
from tests.harness.upstream import Gate, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
TEXT = "openai/chat_stream_text.sse"
ANSWER = "The capital of France is Paris."


def config_of(upstream: Upstream, **ledger: Any) -> dict[str, Any]:
    patient = {"response": "20s", "first_event": "20s", "idle": "20s"}
    hasty = {**patient, "response": "500ms"}
    priced = {"*": {"input_mtok": "1", "output_mtok": "2", "cached_mtok": "0.1"}}
    providers = {
        "openai": provider(upstream, "openai", exact=True, timeouts=patient),
        "up": provider(upstream, "up", exact=True, timeouts=hasty, prices=priced),
        "other": provider(upstream, "other", timeouts=patient, prices=priced),
        "echo": {},
    }
    return config_for(providers, {"chain": ["up/slow", "other/quick"]}, ledger=ledger)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("money") / "run"
    with start_gateway(folder, secrets, config_of(upstream)) as running:
        yield running


@pytest.fixture(scope="module")
def draining(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("draining") / "run"
    ledger = {"disconnect": "drain", "drain_for": "2s", "max_drains": 2}
    with start_gateway(folder, secrets, config_of(upstream, **ledger)) as running:
        yield running


def answer_with(upstream: Upstream, name: str, **usage: Any) -> None:
    body = json.loads(act.golden("openai/chat_response.json"))
    body["usage"] |= usage
    upstream.slot(name).script(act.json_reply(body))


def nano_told(gateway: Gateway, answer: Response) -> int:
    """Give the cost after a look that the answer, the line, the row and the tries all say the same."""
    line = gateway.record(answer.request_id)
    (row,) = gateway.rows(answer.request_id)
    assert line["cost"] == answer.headers["x-switchgear-cost"]
    assert line["cost_nano"] == row["cost_nano"] == sum(each["cost_nano"] for each in line["tries"])
    whole, _, fraction = line["cost"].partition(".")
    assert int(whole) * 10**9 + int(fraction.ljust(9, "0")) == line["cost_nano"]
    nano: int = line["cost_nano"]
    return nano


def test_published_prices_are_known(gateway: Gateway, upstream: Upstream) -> None:
    """gpt-4o-mini costs 0.15 and 0.60 dollars a million tokens; 24 and 8 were used."""
    answer_with(upstream, "gpt-4o-mini")
    assert nano_told(gateway, gateway.chat("openai/gpt-4o-mini")) == 24 * 150 + 8 * 600


def test_configured_prices_and_cached_tokens(gateway: Gateway, upstream: Upstream) -> None:
    answer_with(upstream, "plain", prompt_tokens=1000)
    answer_with(upstream, "cached", prompt_tokens=1000, prompt_tokens_details={"cached_tokens": 900})
    plain = nano_told(gateway, gateway.chat("up/plain"))
    cached = nano_told(gateway, gateway.chat("up/cached"))
    assert (plain, cached) == (1000 * 1000 + 8 * 2000, 100 * 1000 + 900 * 100 + 8 * 2000)


def test_all_attempts_are_paid_for(gateway: Gateway, upstream: Upstream) -> None:
    """The first provider never answers, and may bill what it was sent."""
    upstream.slot("slow").script([act.hang])
    answer_with(upstream, "quick")
    answer = gateway.chat("chain", prompt="x" * 4_000)
    assert answer.headers["x-switchgear-provider"] == "other"
    nano = nano_told(gateway, answer)
    line = gateway.record(answer.request_id, attempts=2, usage_source="provider")
    assert [each["outcome"] for each in line["tries"]] == ["upstream_timeout", "success"]
    assert nano - line["tries"][1]["cost_nano"] >= 1_000 * 1_000
    assert line["tries"][1]["cost_nano"] == 24 * 1000 + 8 * 2000


def test_echo_has_no_price(gateway: Gateway) -> None:
    answer = gateway.chat("echo/any")
    assert answer.status == 200
    assert "x-switchgear-cost" not in answer.headers
    assert gateway.record(answer.request_id, cost_nano=None)["cost"] is None
    assert sum(v for name, v in gateway.metrics().items() if "unpriced_calls_total" in name) >= 1


def test_a_stream_has_its_cost_in_the_ledger(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("streamed").script(act.golden_stream(TEXT))
    streamed = stream_chat(gateway, "up/streamed")
    assert "x-switchgear-cost" not in streamed.headers
    gateway.record(streamed.request_id, cost_nano=24 * 1000 + 8 * 2000, cost="0.00004")


def test_failures_cost_nothing(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("failing").script(act.error_reply(500))
    answer = gateway.chat("up/failing")
    assert answer.status == 502
    gateway.record(answer.request_id, cost_nano=0, usage_source="none", input_tokens=None)


@pytest.mark.parametrize("count", range(1, 8))
def test_a_stream_that_its_client_leaves_costs_what_was_delivered(
    gateway: Gateway, upstream: Upstream, count: int
) -> None:
    slot, gate = upstream.slot(f"cut-{count}"), Gate()
    slot.script(act.golden_stream(TEXT, [act.wait_for(gate)], first=count))
    with gateway.client() as client:
        client.post(
            CHAT, chat_body(f"up/cut-{count}", stream=True), KEY, {"x-request-id": f"money-cut-{count}"}
        )
        assert client.read_head() == 200
        events = client.events()
        seen = [next(events).json["choices"][0]["delta"].get("content") or "" for _ in range(count)]
    line = gateway.record(f"money-cut-{count}", outcome="client_cancelled", usage_source="estimated")
    text = "".join(seen)
    assert ANSWER.startswith(text)
    assert abs(line["output_tokens"] - len(text) / 4) <= 1
    assert line["cost_nano"] == line["input_tokens"] * 1000 + line["output_tokens"] * 2000
    gate.open()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_drained_call_has_the_usage_of_its_provider(
    draining: Gateway, upstream: Upstream, stream: bool
) -> None:
    name = f"drained-{stream}"
    slot, gate = upstream.slot(name), Gate()
    if stream:
        first, *rest = act.events_of(TEXT)
        slot.script([*act.stream_of([first], []), act.wait_for(gate), *map(act.chunk, rest), act.chunk(b"")])
    else:
        slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    with draining.client() as client:
        client.post(CHAT, chat_body(f"other/{name}", stream=stream), KEY, {"x-request-id": name})
        slot.wait_request()
        if stream:
            client.read_head()
            next(client.events())
        client.reset()
    draining.eventually(lambda: draining.in_flight() == 1, "the call to go on")
    gate.open()
    line = draining.record(name, outcome="client_cancelled", usage_source="provider", output_tokens=8)
    assert line["cost_nano"] == 24 * 1000 + 8 * 2000
    assert line["status"] == (200 if stream else 499)
    assert slot.last.aborted_at is None


def test_so_many_are_drained_and_no_more(draining: Gateway, upstream: Upstream) -> None:
    slot, gate = upstream.slot("crowded"), Gate()
    slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    for number in range(3):
        with draining.client() as client:
            client.post(CHAT, chat_body("openai/crowded"), KEY, {"x-request-id": f"crowded-{number}"})
            slot.wait_request(number + 1)
            client.reset()
        if number < 2:
            draining.eventually(lambda: draining.in_flight() == number + 1, "the call to go on")  # noqa: B023 - it is asked at once
    draining.record("crowded-2", usage_source="estimated", outcome="client_cancelled")


def test_tags_are_told_and_kept(gateway: Gateway, upstream: Upstream) -> None:
    answer_with(upstream, "tagged")
    given = {"x-switchgear-tags": "project=search, env=prod"}
    answer = gateway.chat("up/tagged", headers=given)
    line = gateway.record(answer.request_id)
    assert line["tags"] == {"project": "search", "env": "prod"}
    (row,) = gateway.rows(answer.request_id)
    assert json.loads(row["tags"]) == line["tags"]
    assert "x-switchgear-tags" not in dict(upstream.slot("tagged").last.headers)


@pytest.mark.parametrize(
    "tags",
    [
        "project",
        "=x",
        "a=1,a=2",
        "a=1,,b=2",
        "a=1;b=2",
        "ключ=x",
        "a=" + "x" * 129,
        ",".join(f"k{n}=v" for n in range(11)),
    ],
)
def test_tags_that_are_none(gateway: Gateway, tags: str) -> None:
    answer = gateway.post(
        CHAT, chat_body("echo/any"), headers={"x-switchgear-tags": tags.encode().decode("latin-1")}
    )
    assert answer.status == 400
    assert (answer.error["code"], answer.error["param"]) == ("invalid_tags", "x-switchgear-tags")
    assert "project=a,env=b" in answer.error["message"]
