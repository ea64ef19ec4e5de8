"""What clients and providers make up does not fill the metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.harness import actions as act
from tests.harness.gateway import KEY, Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Action, Upstream

pytestmark = pytest.mark.slow

MADE_UP = 600
MOST_MODELS = 500
"""Of all that succeed, so many are shown by their names."""


class Place(NamedTuple):
    gateway: Gateway
    upstream: Upstream

    def call(self, model: Callable[[int], str], status: int) -> None:
        """Make one call after another, each for a model of its own."""
        with self.gateway.client() as client:
            for number in range(MADE_UP):
                client.post("/v1/chat/completions", chat_body(model(number)), KEY)
                assert client.read().status == status

    def scrape(self) -> str:
        answer = self.gateway.send("GET", "/metrics")
        assert answer.status == 200
        return answer.body.decode()

    def series(self) -> set[str]:
        """Give all series, without their values."""
        return {line.rpartition(" ")[0] for line in self.scrape().splitlines() if not line.startswith("#")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Place]:
    """A gateway that these tests have for themselves."""
    with Upstream() as upstream:
        patient = {"retry": {"attempts": "1"}, "breaker": {"min_calls": "100000", "consecutive": "100000"}}
        config = config_for({"hostile": provider(upstream, "hostile", **patient), "echo": {}}, {})
        with start_gateway(tmp_path_factory.mktemp("labels"), secrets, config) as gateway:
            yield Place(gateway, upstream)


def hostile(place: Place, action: Callable[[int], Action]) -> Callable[[int], str]:
    """Let the provider answer for each model as told."""

    def model(number: int) -> str:
        place.upstream.slot(f"m-{number}").script(action(number))
        return f"hostile/m-{number}"

    return model


@pytest.mark.parametrize("prefix", ["made-up-", "nobody/made-up-"])
def test_models_that_nobody_has(place: Place, prefix: str) -> None:
    assert place.gateway.chat("unknown").status == 404
    before = place.series()
    place.call(lambda number: f"{prefix}{number}", 404)
    assert place.series() == before


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        (400, 400),
        (404, 404),
        (422, 422),
        (500, 502),
        (403, 502),
    ],
)
def test_codes_that_a_provider_makes_up(place: Place, status: int, seen: int) -> None:
    model = hostile(place, lambda number: act.error_reply(status, code=f"evil-{number}"))
    answer = place.gateway.chat(model(MADE_UP))
    assert (answer.status, answer.error["code"] == f"evil-{MADE_UP}") == (seen, status in {400, 422})
    before = place.series()
    place.call(model, seen)
    assert place.series() == before
    assert "evil-" not in place.scrape()


def test_models_that_answer(place: Place) -> None:
    """Whatever a client may call a model, and whatever a provider says has answered."""
    body = act.golden("openai/chat_response.json")
    name = re.search(rb'"model": ?"([^"]+)"', body)
    assert name
    replies = (body.replace(name[1], b"fancy-%d" % number) for number in range(MADE_UP))
    place.upstream.slot("m").script(*map(act.reply, replies))
    place.call(lambda _: "hostile/m", 200)
    place.call(lambda number: f"echo/any-{number}", 200)
    shown = set(re.findall(r'model="([^"]*)"', place.scrape()))
    assert "other" in shown
    assert len(shown - {"other", "none"}) <= MOST_MODELS
