"""Targets chosen, followed and mirrored by real processes: what a client and an operator see of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
ANSWER = "openai/chat_response.json"
EUROPEAN = "sk-european-0123456789abcdef"
ONE_MODEL = "sk-one-model-0123456789abcdef"
MODELS: dict[str, Any] = {
    "drawn": {
        "targets": [{"target": "east/drawn", "weight": 3}, {"target": "west/drawn", "weight": 1}],
        "balance": "weighted",
    },
    "warm": {"targets": ["east/warm", "west/warm"], "sticky": "session", "balance": "least_busy"},
    "falls": {
        "targets": ["east/falls"],
        "fallback": {"default": ["west/rescue"], "context_window": ["west/long"], "rate_limit": ["other"]},
    },
    "other": ["west/other"],
    "tried-out": {"targets": ["east/known"], "mirror": {"target": "west/new", "share": 1}},
    "brief": {"targets": ["roomy/slow"], "timeouts": {"response": "200ms"}},
}


@dataclass(frozen=True)
class Bench:
    gateway: Gateway
    upstream: Upstream

    def good(self, *slots: str) -> None:
        for name in slots:
            self.upstream.slot(name).script(act.golden_reply(ANSWER))

    def ask(self, model: str, key: str) -> Any:
        return self.gateway.post(CHAT, chat_body(model), key=key)

    def decisions(self, request_id: str) -> list[dict[str, Any]]:
        return self.gateway.told("decisions", request_id=request_id)

    def seen(self, slot: str) -> int:
        return len(self.upstream.slot(slot).requests)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Bench]:
    with Upstream() as upstream:
        patient = {"timeouts": {"response": "20s"}}
        kinds: dict[str, dict[str, Any]] = {
            "east": {"region": "us"},
            "west": {"region": "eu"},
            "roomy": patient,
        }
        providers = {name: provider(upstream, name, exact=True, **more) for name, more in kinds.items()}
        config = config_for(providers, MODELS, logging={"level": "debug"})
        config["auth"]["keys"] += [
            {"name": "european", "key": EUROPEAN, "regions": ["eu"]},
            {"name": "one-model", "key": ONE_MODEL, "models": ["falls"]},
        ]
        with start_gateway(tmp_path_factory.mktemp("balancing"), secrets, config) as gateway:
            yield Bench(gateway, upstream)


def test_case_96_calls_are_drawn_by_weight(bench: Bench) -> None:
    seen: Counter[str] = Counter()

    def answer(received: Any) -> Any:
        seen[received.header("authorization")] += 1
        return act.golden_reply(ANSWER)

    bench.upstream.slot("drawn").respond(answer)
    for _ in range(60):
        assert bench.gateway.chat("drawn").status == 200
    east, west = (seen[f"Bearer cred-canary-{name}-0123456789"] for name in ("east", "west"))
    # By chance 45 and 15; so far off as this comes once in a million runs.
    assert east + west == 60
    assert 28 <= east <= 58


def test_a_session_stays_and_its_name_is_not_sent_on(bench: Bench) -> None:
    bench.good("warm")
    homes = set()
    for session in "abcdefgh":
        answers = [
            bench.gateway.chat("warm", headers={"x-switchgear-session": f"s-{session}"}) for _ in range(3)
        ]
        homes |= {(session, answer.headers["x-switchgear-provider"]) for answer in answers}
    assert len(homes) == 8
    assert {provider for _, provider in homes} == {"east", "west"}
    for received in bench.upstream.slot("warm").requests:
        assert received.header("x-switchgear-session") is None
        assert b"s-a" not in received.body


@pytest.mark.parametrize("session", ["x" * 257, "two words", "caf\u00e9"])
def test_a_session_that_is_none_is_refused(bench: Bench, session: str) -> None:
    answer = bench.gateway.post(CHAT, chat_body("warm"), headers={"x-switchgear-session": session})
    assert (answer.status, answer.error["code"]) == (400, "invalid_session")
    assert answer.error["param"] == "x-switchgear-session"


def test_case_59_a_fallback_answers_and_the_decisions_are_in_the_log(bench: Bench) -> None:
    bench.upstream.slot("falls").script(act.error_reply(500))
    bench.good("rescue")
    answer = bench.gateway.chat("falls")
    assert (answer.status, answer.headers["x-switchgear-attempts"]) == (200, "2")
    assert answer.headers["x-switchgear-model"] == "rescue"
    bench.gateway.record(answer.request_id, outcome="success", fallback=True, attempts=2)
    (told,) = bench.gateway.eventually(lambda: bench.decisions(answer.request_id), "the decisions")
    assert [step["outcome"] for step in told["steps"]] == ["upstream_error", "success"]
    assert told["fallbacks"]["context_window"] == ["west/long"]
    assert "capital of France" not in repr(told)


def test_case_72_a_stream_whose_first_event_is_an_error_goes_to_the_chain_for_it(bench: Bench) -> None:
    too_long = b'data: {"error": {"message": "too long", "code": "context_length_exceeded"}}\n\n'
    bench.upstream.slot("falls").script(act.stream_of([too_long]))
    bench.upstream.slot("long").script(act.golden_stream("openai/chat_stream_text.sse"))
    answer = bench.gateway.chat("falls", stream=True)
    assert (answer.status, answer.headers["x-switchgear-model"]) == (200, "long")
    assert b"too long" not in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_case_71_a_target_that_is_silent_is_followed_by_its_fallback(bench: Bench) -> None:
    bench.upstream.slot("falls").script([act.hang])
    bench.upstream.slot("rescue").script(act.golden_stream("openai/chat_stream_text.sse"))
    answer = bench.gateway.chat("falls", stream=True)
    assert (answer.status, answer.headers["x-switchgear-model"]) == (200, "rescue")


def test_case_34_a_key_reaches_no_other_model_through_a_fallback(bench: Bench) -> None:
    bench.upstream.slot("falls").script(act.error_reply(429))
    bench.good("rescue", "other")
    assert bench.gateway.chat("falls").headers["x-switchgear-model"] == "other"
    reached = bench.seen("other")
    # The chain for limits holds another model alone; the default one names its target itself.
    answer = bench.ask("falls", ONE_MODEL)
    assert answer.headers["x-switchgear-model"] == "rescue"
    assert bench.seen("other") == reached
    refused = bench.ask("other", ONE_MODEL)
    assert (refused.status, refused.error["code"]) == (403, "permission_denied")


def test_a_key_stays_in_its_region(bench: Bench) -> None:
    bench.good("drawn", "rescue", "known", "new")
    for model in ("drawn", "drawn", "drawn", "falls"):
        assert bench.ask(model, EUROPEAN).headers["x-switchgear-provider"] == "west"
    refused = bench.ask("tried-out", EUROPEAN)
    assert (refused.status, refused.error["code"]) == (403, "region_not_allowed")
    assert "east/known" in refused.error["message"]


def test_a_mirror_gets_a_copy_that_the_client_does_not_wait_for(bench: Bench) -> None:
    bench.good("known")
    door = Gate()
    bench.upstream.slot("new").script([act.wait_for(door), *act.golden_reply(ANSWER)])
    before = bench.seen("new")
    answer = bench.gateway.chat("tried-out")
    assert (answer.status, answer.headers["x-switchgear-provider"]) == (200, "east")
    copy = bench.upstream.slot("new").wait_request(before + 1)
    # The client has its answer, and the mirror has not given one.
    assert copy.finished_at is None
    door.open()
    assert copy.json["messages"] == bench.upstream.slot("known").last.json["messages"]
    lines = bench.gateway.eventually(
        lambda: len(found := bench.gateway.lines_of(answer.request_id)) == 2 and found, "the copy's line"
    )
    assert [(line["operation"], line["key"], line["outcome"]) for line in lines] == [
        ("chat", "app", "success"),
        ("mirror", None, "success"),
    ]
    rows = bench.gateway.eventually(
        lambda: len(found := bench.gateway.rows(answer.request_id)) == 2 and found, "both rows"
    )
    assert {row["operation"] for row in rows} == {"chat", "mirror"}


def test_a_model_has_its_own_times(bench: Bench) -> None:
    bench.upstream.slot("slow").script([act.hang])
    answer = bench.gateway.chat("brief")
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
