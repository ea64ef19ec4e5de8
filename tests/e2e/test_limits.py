"""Limits as clients and platform teams meet them: a real gateway, counted at a real upstream."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from openai import OpenAI, RateLimitError

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import read_stream
from tests.harness.upstream import Gate, Slot, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
OF_KEYS: dict[str, dict[str, Any]] = {
    "k-rpm": {"limits": {"rpm": 2}},
    "k-rpd": {"limits": {"rpd": 2}},
    "k-concurrency": {"limits": {"concurrency": 2}},
    # An answer is 32 tokens, 24 of them the prompt's; a call that asks for 400 does not fit beside two.
    "k-tpm": {"limits": {"tpm": 420}},
    "k-itpm": {"limits": {"itpm": 60}},
    "k-otpm": {"limits": {"otpm": 410}},
    "planned-1": {"plan": "small"},
    "planned-2": {"plan": "small"},
    "both": {"limits": {"rpm": 100, "tpm": 100_000}, "plan": "small"},
    "headers": {"limits": {"rpm": 50, "rpd": 5, "tpm": 5_000, "itpm": 1_000}},
    "sdk": {"limits": {"rpm": 1}},
    "patient": {"limits": {"concurrency": 1}},
    "poor": {"limits": {"rpm": 2}, "budget": {"amount": "0.001", "per": "total", "mode": "strict"}},
    "free-1": {},
    "free-2": {},
}
PROVIDERS: dict[str, dict[str, Any]] = {
    "up": {"prices": {"*": {"input_mtok": "1", "output_mtok": "1"}}},
    "tight": {"limits": {"rpm": 2}},
    "pooled": {},
    "ga": {},
    "gb": {},
    "daily": {"limits": {"rpd": 1}},
    "minutely": {"limits": {"rpm": 1}},
    "roomy": {},
    "busy": {"limits": {"concurrency": 1}},
    "narrow": {"limits": {"otpm": 5}},
}


@dataclass(frozen=True)
class Bench:
    gateway: Gateway
    upstream: Upstream

    def ask(self, key: str, model: str = "up/up", **fields: Any) -> Response:
        return self.gateway.post(CHAT, chat_body(model, **fields), key=key_of(key))

    def slot(self, name: str) -> Slot:
        slot = self.upstream.slot(name)
        slot.script(act.golden_reply("openai/chat_response.json"))
        return slot


def key_of(name: str) -> str:
    return f"sk-test-{name}-0123456789abcdef"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Bench]:
    with Upstream() as upstream:
        patient = {"response": "20s", "first_event": "20s"}
        providers = {
            name: provider(upstream, name, exact=True, timeouts=patient, **settings)
            for name, settings in PROVIDERS.items()
        }
        providers["pooled"]["keys"] = [{"key": "cred-canary-pooled-0123456789", "limits": {"rpm": 2}}]
        models = {
            "shared": {"targets": ["roomy/shared"], "limits": {"rpm": 2}},
            "chain": ["minutely/chain-a", "roomy/chain-b"],
            "full": ["daily/full-a", "minutely/full-b"],
            "spill": ["busy/spill-a", "roomy/spill-b"],
            "narrowed": ["narrow/narrow-a", "roomy/narrow-b"],
        }
        config = config_for(providers, models)
        config["plans"] = {"small": {"limits": {"rpm": 2}}}
        config["limit_groups"] = {"g": {"models": ["ga/*", "gb/one-*"], "rpm": 2}}
        config["auth"]["keys"] += [{"name": n, "key": key_of(n), **more} for n, more in OF_KEYS.items()]
        with start_gateway(tmp_path_factory.mktemp("limits") / "run", secrets, config) as gateway:
            bench = Bench(gateway, upstream)
            bench.slot("up")
            yield bench


def assert_refused(refused: Response, limit: str, within: float) -> None:
    """Which limit it is, and when to come again: in milliseconds, and in whole seconds, never too early.

    The precision of a window is 1/1200 of its length.
    """
    assert refused.status == 429, refused
    assert (refused.error["type"], refused.error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert limit in refused.error["message"], refused.error
    wait = int(refused.headers["retry-after-ms"])
    assert (within - 10) * 1000 < wait <= within * (1 + 2 / 1200) * 1000
    assert int(refused.headers["retry-after"]) == math.ceil(wait / 1000)
    assert ("x-should-retry" in refused.headers) == (wait > 60_000)
    told = re.search(r"([\d.e+]+) s\.", refused.error["message"])
    assert told is not None
    assert abs(float(told[1]) * 1000 - wait) <= 0.01 * wait


KINDS = {
    "k-rpm": ({}, "key:k-rpm: rpm 2, 0 left, 1 asked", 60),
    "k-rpd": ({}, "key:k-rpd: rpd 2, 0 left, 1 asked", 86_400),
    "k-tpm": ({"max_tokens": 390}, "key:k-tpm: tpm 420, 356 left", 60),
    "k-itpm": ({"prompt": "x" * 100}, "key:k-itpm: itpm 60, 12 left", 60),
    "k-otpm": ({"max_tokens": 400}, "key:k-otpm: otpm 410, 394 left, 400 asked", 60),
}


@pytest.mark.parametrize("key", list(KINDS))
def test_each_kind_on_a_key(bench: Bench, key: str) -> None:
    slot = bench.slot(f"kind-{key}")
    fields, named, within = KINDS[key]
    model = f"up/kind-{key}"
    assert [bench.ask(key, model, max_tokens=50).status for _ in range(2)] == [200, 200]
    for _ in range(3):
        assert_refused(bench.ask(key, model, **fields), named, within)
    assert len(slot.requests) == 2, "the provider was asked"


def test_concurrency_on_a_key(bench: Bench) -> None:
    slot, gate = bench.slot("concurrent"), Gate()
    slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    first, second = bench.gateway.client(), bench.gateway.client()
    with first, second:
        for client in (first, second):
            client.post(CHAT, chat_body("up/concurrent"), key_of("k-concurrency"))
        slot.wait_request(2)
        refused = bench.ask("k-concurrency", "up/concurrent")
        assert refused.status == 429
        assert "key:k-concurrency: concurrency 2, 0 left" in refused.error["message"]
        assert int(refused.headers["retry-after-ms"]) > 0
        gate.open()
        assert [first.read_head(), second.read_head()] == [200, 200]
    assert bench.ask("k-concurrency", "up/concurrent").status == 200


def test_each_key_has_its_plan_for_itself(bench: Bench) -> None:
    for key in ("planned-1", "planned-2"):
        assert [bench.ask(key).status for _ in range(3)] == [200, 200, 429]
        assert f"plan:small/{key}: rpm 2" in bench.ask(key).error["message"]


@pytest.mark.parametrize(
    ("models", "named"),
    [
        (["shared"] * 3, "model:shared: rpm 2"),
        (["tight/one", "tight/two", "tight/three"], "provider:tight: rpm 2"),
        (["pooled/one", "pooled/two", "pooled/three"], "credential:pooled/0: rpm 2"),
        (["ga/any", "gb/one-a", "ga/other"], "group:g: rpm 2"),
    ],
    ids=["model", "provider", "credential", "group"],
)
def test_what_all_keys_share(bench: Bench, models: list[str], named: str) -> None:
    for model in models:
        bench.slot(model.partition("/")[2] or model)
    statuses = [
        bench.ask(key, model).status for key, model in zip(("free-1", "free-2"), models, strict=False)
    ]
    assert statuses == [200, 200]
    assert_refused(bench.ask("free-1", models[-1]), named, 60)


def test_what_is_in_no_group_is_not_limited_by_it(bench: Bench) -> None:
    bench.slot("two")
    assert [bench.ask("free-1", "gb/two").status for _ in range(5)] == [200] * 5


def test_a_call_larger_than_a_whole_limit(bench: Bench) -> None:
    """It says so at once: waiting never helps."""
    slot = bench.slot("large")
    refused = bench.ask("k-otpm", "up/large", max_tokens=411)
    assert refused.status == 429
    assert "larger than the whole limit" in refused.error["message"]
    assert "411 of otpm 410 (key:k-otpm)" in refused.error["message"]
    assert refused.headers["x-should-retry"] == "false"
    assert not {"retry-after", "retry-after-ms"} & refused.headers.keys()
    assert slot.requests == []


def test_what_a_budget_refuses_takes_nothing_of_the_limits(bench: Bench) -> None:
    slot = bench.slot("poor")
    for _ in range(4):
        refused = bench.ask("poor", "up/poor", max_tokens=10_000_000)
        assert (refused.status, refused.error["code"]) == (429, "insufficient_quota")
        assert refused.headers["x-should-retry"] == "false"
    assert slot.requests == []
    # The bound of these is 0.0013 dollars at most: prompts count a token a byte, and something for templates.
    assert "key:poor" in refused.error["message"]
    assert "x-ratelimit-remaining-requests" not in refused.headers or (
        refused.headers["x-ratelimit-remaining-requests"] != "0"
    )


def test_a_call_that_reached_no_provider_gives_its_tokens_back(bench: Bench) -> None:
    slot = bench.slot("failing")
    slot.script(act.error_reply(500))
    for _ in range(5):
        assert bench.ask("headers", "roomy/failing", max_tokens=4_000).status == 502
    slot.script(act.golden_reply("openai/chat_response.json"))
    refused = bench.ask("headers", "roomy/failing", max_tokens=4_000)
    # Requests stay counted: a client that hammers a broken provider is one that hammers.
    assert "rpd 5, 0 left" in refused.error["message"]
    assert refused.headers["x-ratelimit-remaining-tokens"] == "1000", (
        "the tightest is itpm, of which all is left"
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_tightest_limits_show_on_answers(bench: Bench, stream: bool) -> None:
    slot = bench.slot(f"shown-{stream}")
    slot.script(
        act.golden_stream("openai/chat_stream_text.sse")
        if stream
        else act.golden_reply("openai/chat_response.json")
    )
    with bench.gateway.client() as client:
        client.post(CHAT, chat_body(f"up/shown-{stream}", stream=stream, max_tokens=100), key_of("both"))
        headers = read_stream(client).headers if stream else client.read().headers
    assert headers["x-ratelimit-limit-requests"] == "2", "the plan's is tighter than the key's"
    assert headers["x-ratelimit-remaining-requests"] == ("0" if stream else "1")
    assert headers["x-ratelimit-limit-tokens"] == "100000"
    assert 99_000 < int(headers["x-ratelimit-remaining-tokens"]) < 100_000
    for unit in ("requests", "tokens"):
        assert re.fullmatch(r"(1m0(\.\d+)?s|5\d(\.\d+)?s)", headers[f"x-ratelimit-reset-{unit}"])


def test_the_sdk_raises_what_applications_catch(bench: Bench) -> None:
    with OpenAI(base_url=f"{bench.gateway.base_url}/v1", api_key=key_of("sdk"), max_retries=0) as client:
        messages: Any = chat_body("")["messages"]
        client.chat.completions.create(model="up/up", messages=messages)
        with pytest.raises(RateLimitError) as refused:
            client.chat.completions.create(model="up/up", messages=messages)
    assert refused.value.code == "rate_limit_exceeded"
    assert 50_000 < int(refused.value.response.headers["retry-after-ms"]) <= 60_100


def test_the_sdk_waits_and_succeeds(bench: Bench) -> None:
    slot, gate = bench.slot("patient"), Gate()
    reply = act.golden_reply("openai/chat_response.json")
    slot.script([act.wait_for(gate), *reply], reply)
    with bench.gateway.client() as holder:
        holder.post(CHAT, chat_body("up/patient"), key_of("patient"))
        slot.wait_request()
        url = f"{bench.gateway.base_url}/v1"
        with OpenAI(base_url=url, api_key=key_of("patient"), max_retries=3, timeout=10) as client:
            opening = threading.Timer(0.3, gate.open)
            opening.start()
            began = time.monotonic()
            answer = client.chat.completions.create(model="up/patient", messages=chat_body("")["messages"])
            opening.join()
        assert answer.choices[0].message.content
        assert time.monotonic() - began >= 0.9, "it came again before it was told to"
        assert holder.read_head() == 200


def test_a_full_target_is_skipped(bench: Bench) -> None:
    first, second = bench.slot("chain-a"), bench.slot("chain-b")
    answers = [bench.ask("free-1", "chain") for _ in range(3)]
    assert [answer.headers["x-switchgear-provider"] for answer in answers] == ["minutely", "roomy", "roomy"]
    assert (len(first.requests), len(second.requests)) == (1, 2)
    line = bench.gateway.record(answers[1].request_id, outcome="success", attempts=1)
    assert line["provider"] == "roomy"


def test_a_target_without_slots_is_skipped_while_it_is_busy(bench: Bench) -> None:
    first, second, gate = bench.slot("spill-a"), bench.slot("spill-b"), Gate()
    first.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    with bench.gateway.client() as holder:
        holder.post(CHAT, chat_body("spill"), key_of("free-1"))
        first.wait_request()
        assert bench.ask("free-1", "spill").headers["x-switchgear-provider"] == "roomy"
        gate.open()
        assert holder.read_head() == 200
        holder.read_body()
    assert bench.ask("free-1", "spill").headers["x-switchgear-provider"] == "busy"
    assert (len(first.requests), len(second.requests)) == (2, 1)


def test_a_call_too_large_for_one_target_goes_to_the_next(bench: Bench) -> None:
    first, second = bench.slot("narrow-a"), bench.slot("narrow-b")
    assert bench.ask("free-1", "narrowed", max_tokens=100).headers["x-switchgear-provider"] == "roomy"
    assert (len(first.requests), len(second.requests)) == (0, 1)


def test_where_all_targets_are_full_the_smallest_wait_is_told(bench: Bench) -> None:
    first = bench.slot("full-a")
    bench.slot("full-b")
    bench.ask("free-1", "minutely/full-b")
    assert bench.ask("free-1", "full").status == 200
    assert len(first.requests) == 1
    assert_refused(bench.ask("free-1", "full"), "provider:minutely: rpm 1", 60)
    assert len(first.requests) == 1


def test_refusals_are_told_of_and_have_no_cost(bench: Bench) -> None:
    refused = bench.ask("k-otpm", max_tokens=411)
    (line,) = bench.gateway.eventually(lambda: bench.gateway.lines_of(refused.request_id), "its line")
    assert (line["outcome"], line["status"], line["error_type"]) == ("refused", 429, "rate_limit_exceeded")
    assert (line["attempts"], line["input_tokens"], line["cost_nano"]) == (0, None, 0)


def test_nothing_stays_held(bench: Bench) -> None:
    bench.gateway.eventually(lambda: bench.gateway.in_flight() == 0, "return of all slots")
