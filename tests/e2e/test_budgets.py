"""Budgets as platform teams and their finance people meet them: a real gateway and a real upstream."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.client import Response
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
# A token of an answer costs a thousandth of a dollar, and an answer has eight; prompts are free.
PRICES = {"*": {"input_mtok": "0", "output_mtok": "1000"}}
TOKENS, COST = 8, "0.008"
CANARY = "canary-hook-secret-5f1c9e"


def key_of(name: str) -> str:
    return f"sk-test-{name}-0123456789abcdef"


def ask(gateway: Gateway, key: str, model: str = "up/up", **fields: Any) -> Response:
    return gateway.post(CHAT, chat_body(model, **{"max_tokens": TOKENS, **fields}), key=key_of(key))


def configured(upstream: Upstream, keys: dict[str, Any], up: dict[str, Any], **more: Any) -> dict[str, Any]:
    patient = {"response": "20s", "first_event": "20s"}
    upstream.slot("up").script(act.golden_reply("openai/chat_response.json"))
    providers = {
        "up": provider(upstream, "up", exact=True, timeouts=patient, prices=PRICES, **up),
        "odd": provider(upstream, "odd", exact=True, timeouts=patient),
    }
    config = config_for(providers, {"owned": {"targets": ["up/up"], **more.pop("owned", {})}}, **more)
    config["auth"]["keys"] += [{"name": n, "key": key_of(n), **given} for n, given in keys.items()]
    return config


class Hook:
    """Receives webhooks; fails the first one for each of some subjects."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        self.failing: set[str] = set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                notice = json.loads(self.rfile.read(int(self.headers["content-length"])))
                hook.posts.append((self.path, notice))
                failing = notice["subject"] in hook.failing
                hook.failing.discard(notice["subject"])
                self.send_response(500 if failing else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/{CANARY}"

    @contextmanager
    def listening(self) -> Iterator[Hook]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


KEYS: dict[str, Any] = {
    "strict": {"budget": {"amount": "0.04", "per": "month", "mode": "strict", "timezone": "Europe/Berlin"}},
    "told": {"budget": {"amount": "0.04", "per": "total", "notify": ["0.4", "0.8"]}},
    "fitted": {"budget": {"amount": "0.5", "per": "total", "mode": "strict", "fit_max_tokens": True}},
    "learned": {"budget": {"amount": "0.1", "per": "total"}},
    "planned-1": {"plan": "small"},
    "planned-2": {"plan": "small"},
    "several": {
        "budget": [{"amount": "100", "per": "month"}, {"amount": "0.02", "per": "total", "mode": "strict"}]
    },
    "free": {},
}


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with Hook().listening() as listening:
        yield listening


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    hook: Hook, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[Gateway]:
    secrets.plant(CANARY)
    plans = {"small": {"budget": {"amount": "0.016", "per": "total", "mode": "strict"}}}
    owned = {"budget": {"amount": "0.016", "per": "total", "mode": "strict"}}
    told = {"webhook": hook.url, "allow_private": True}
    config = configured(upstream, KEYS, {}, plans=plans, notifications=told, owned=owned)
    with start_gateway(tmp_path_factory.mktemp("budgets") / "run", secrets, config) as running:
        yield running


def assert_spent(refused: Response, subject: str) -> None:
    """SDKs try again after every 429, so this one says that it makes no sense."""
    assert refused.status == 429, refused
    assert (refused.error["type"], refused.error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert subject in refused.error["message"]
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers


def test_exactly_what_there_is_can_be_spent(gateway: Gateway, upstream: Upstream) -> None:
    answers = [ask(gateway, "strict") for _ in range(5)]
    assert [answer.headers["x-switchgear-cost"] for answer in answers] == [COST] * 5
    before = len(upstream.slot("up").requests)
    refused = ask(gateway, "strict")
    assert_spent(refused, "key:strict, $0.04 a month, has $0 left, and this call needs up to $0.008")
    assert "begins anew at 20" in refused.error["message"]
    assert len(upstream.slot("up").requests) == before


def test_each_key_has_the_budget_of_its_plan_for_itself(gateway: Gateway) -> None:
    for key in ("planned-1", "planned-2"):
        assert [ask(gateway, key).status for _ in range(3)] == [200, 200, 429]
        assert_spent(ask(gateway, key), f"plan:small/{key}")


def test_a_public_model_has_one_budget_for_all(gateway: Gateway) -> None:
    assert [ask(gateway, "free", "owned").status for _ in range(3)] == [200, 200, 429]
    assert_spent(ask(gateway, "free", "owned"), "model:owned")
    assert ask(gateway, "free").status == 200


def test_of_several_budgets_each_holds(gateway: Gateway) -> None:
    assert [ask(gateway, "several").status for _ in range(3)] == [200, 200, 429]
    assert_spent(ask(gateway, "several"), "$0.02")


def test_a_large_max_tokens_does_not_block_a_learned_budget(gateway: Gateway) -> None:
    """A call is thought to produce 512 tokens until more is known: half a dollar here, which is not there."""
    assert_spent(ask(gateway, "learned", max_tokens=64_000), "key:learned")
    for _ in range(8):
        assert ask(gateway, "learned", max_tokens=9).status == 200
    assert ask(gateway, "learned", max_tokens=64_000).status == 200, "it has learned that calls are small"


def test_what_the_provider_gets_is_lowered_to_what_fits(gateway: Gateway, upstream: Upstream) -> None:
    slot = upstream.slot("up")
    assert ask(gateway, "fitted", max_tokens=64_000).status == 200
    assert slot.last.json["max_tokens"] == 500
    assert ask(gateway, "fitted", max_tokens=64_000).status == 200
    assert slot.last.json["max_tokens"] == 492
    assert ask(gateway, "fitted", max_tokens=100).status == 200
    assert slot.last.json["max_tokens"] == 100


def test_an_unknown_price_is_refused(gateway: Gateway, upstream: Upstream) -> None:
    refused = ask(gateway, "strict", "odd/odd")
    assert (refused.status, refused.error["code"], refused.error["param"]) == (400, "unknown_price", "model")
    assert "providers.odd.prices" in refused.error["message"]
    assert upstream.slot("odd").requests == []
    upstream.slot("odd").script(act.golden_reply("openai/chat_response.json"))
    allowed = ask(gateway, "free", "odd/odd")
    assert allowed.status == 200, "who has no budget needs no price"
    assert "x-switchgear-cost" not in allowed.headers
    assert gateway.record(allowed.request_id, cost_nano=None)["cost"] is None


def test_who_is_told_when_money_runs_out(gateway: Gateway, hook: Hook) -> None:
    """The log, the metrics and the webhook, each share once; the webhook again where it failed."""
    hook.failing.add("key:told")
    for _ in range(5):
        assert ask(gateway, "told").status == 200

    def posted() -> list[Any]:
        return [
            notice
            for path, notice in hook.posts
            if path == f"/hook/{CANARY}" and notice["subject"] == "key:told"
        ]

    gateway.eventually(lambda: len(posted()) >= 3, "the webhook's posts")
    gateway.eventually(lambda: len(gateway.told("budget_crossed", subject="key:told")) >= 2, "the lines")
    told = posted()
    assert all(type(notice.pop("at")) is float for notice in told)
    expected = {
        "event": "budget_crossed",
        "subject": "key:told",
        "amount": "0.04",
        "per": "total",
        "share": "0.4",
        "spent": "0.016",
    }
    later = {**expected, "share": "0.8", "spent": "0.032"}
    assert told == [expected, expected, later]
    lines = gateway.told("budget_crossed", subject="key:told")
    assert [(line["share"], line["spent"]) for line in lines] == [("0.4", "0.016"), ("0.8", "0.032")]
    metrics = gateway.metrics()
    for share in ("0.4", "0.8"):
        assert metrics[f'switchgear_budget_crossings_total{{share="{share}",subject="key:told"}}'] == 1
    assert CANARY not in gateway.output


def spend_of(gateway: Gateway) -> dict[str, int]:
    """Sum what the rows of the ledger charge to each subject."""
    spent: dict[str, int] = {}
    for row in gateway.rows():
        for charge in json.loads(row["charges"]):
            spent[charge["subject"]] = spent.get(charge["subject"], 0) + charge["nano"]
    return spent


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow, id="stop"),
        pytest.param(signal.SIGKILL, id="kill"),
    ],
)
@pytest.mark.slow
def test_budgets_go_on_after_a_restart(tmp_path: Path, secrets: Secrets, ending: signal.Signals) -> None:
    """From the ledger, with what was running when the process died: the provider may bill it."""
    total = {"per": "total", "mode": "strict"}
    keys = {
        "mine": {"budget": [{"amount": "0.08", **total}, {"amount": "0.08", **total, "per": "month"}]},
        "other": {},
    }
    with Upstream() as upstream:
        config = configured(upstream, keys, {"budget": {"amount": "0.12", **total}})
        slot, gate = upstream.slot("held"), Gate()
        slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
        with start_gateway(tmp_path / "run", secrets, config) as gateway, gateway.client() as held:
            assert [ask(gateway, "mine").status for _ in range(4)] == [200] * 4
            if ending == signal.SIGKILL:
                held.post(CHAT, chat_body("up/held", max_tokens=TOKENS), key_of("mine"))
                slot.wait_request()
            gateway.kill() if ending == signal.SIGKILL else gateway.stop()
            gateway.start()
            admitted = 5 if ending == signal.SIGKILL else 6
            assert [ask(gateway, "mine").status for _ in range(admitted)] == [200] * admitted
            assert_spent(ask(gateway, "mine"), "key:mine")
            # The provider's: 0.08 are gone, whoever spent them.
            assert [ask(gateway, "other").status for _ in range(6)] == [200] * 5 + [429]
            assert_spent(ask(gateway, "other"), "provider:up")
            gateway.eventually(
                lambda: len([r for r in gateway.rows() if r["status"] != 429]) == 15, "all rows"
            )
            assert spend_of(gateway) == {"key:mine": 2 * 80_000_000, "provider:up": 120_000_000}
            gate.open()
