"""What dashboard and alerts ask for is what a real gateway tells, behind the token that compose gives it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.promql import expressions
from tests.deploy.tree import ROOT
from tests.harness.client import Response
from tests.harness.gateway import KEY, Gateway

TOKEN = "metrics-token-0123456789abcdef"
BY_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus itself adds to every series."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, secrets, valkey) -> Iterator[Gateway]:
    """A gateway with what the containers' configuration says of metrics, and two models to call."""
    folder = tmp_path_factory.mktemp("metrics")
    secret = folder / "metrics_token"
    secret.write_text(TOKEN + "\n")
    shipped = yaml.safe_load((ROOT / "deploy/config.yaml").read_text())
    assert shipped["metrics"] == {"token": {"file": "/run/secrets/metrics_token"}}
    shipped["metrics"]["token"]["file"] = str(secret)
    # What else it names is not on this machine; one worker tells the same series as several.
    shipped = {"version": shipped["version"], "metrics": shipped["metrics"], "state": valkey.url}
    # Nobody listens on the discard port of this machine's loopback.
    unreachable = {"base_url": "http://127.0.0.1:9/v1", "allow_private": True}
    config: dict[str, Any] = {
        **shipped,
        "auth": {"keys": [{"name": "app", "key": KEY}]},
        "providers": {"nobody": unreachable, "echo": {"keys": ["cred-metrics-0123456789"]}},
        "models": {"rescued": ["nobody/model", "echo/model"]},
    }
    with Gateway(config, folder, secrets) as running:
        yield running


@pytest.fixture(scope="module")
def series(gateway: Gateway) -> Mapping[str, set[str]]:
    """Call in every way that is counted apart; give the labels of every series by its name."""
    calls = (
        ("echo/model", {}, 200),
        ("echo/model", {"stream": True, "stream_options": {"include_usage": True}}, 200),
        ("echo/model", {"echo": {"status": 500}}, 502),
        ("rescued", {}, 200),
        ("echo/limited", {"echo": {"status": 429}}, 429),
        # The last one: its credential is not used after it.
        ("echo/model", {"echo": {"status": 401}}, 502),
    )
    embedded = gateway.post("/v1/embeddings", {"model": "echo/model", "input": "text"})
    assert embedded.status == 200, embedded
    for model, fields, status in calls:
        answer = gateway.chat(model, **fields)
        assert answer.status == status, answer
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(scrape(gateway, TOKEN).body.decode()):
        for sample in family.samples:
            labels[sample.name] |= set(sample.labels)
    return labels


def scrape(gateway: Gateway, token: str | None) -> Response:
    return gateway.send("GET", "/metrics", headers={"authorization": f"Bearer {token}"} if token else {})


@pytest.mark.parametrize("token", [None, "another", TOKEN[:-1]])
def test_the_metrics_are_for_those_with_the_token(gateway, token):
    refused = scrape(gateway, token)
    assert refused.status == 401
    assert "switchgear_" not in refused.body.decode()


@pytest.mark.parametrize("expression", expressions(), ids=lambda each: each.where)
def test_every_series_and_label_that_is_asked_for_is_told(series, expression):
    assert expression.metrics, f"nothing known is read in {expression.text}"
    ours = expression.metrics - {"up"}
    assert ours <= set(series), f"not in a scrape: {ours - set(series)}"
    told = set().union(*(series[name] for name in ours), BY_PROMETHEUS)
    assert expression.labels <= told, f"no such label: {expression.labels - told}"


def test_the_outcomes_that_the_alerts_look_for_are_the_ones_that_are_counted(gateway, series):
    attempts = [name for name in authorised(gateway) if name.startswith("switchgear_attempts_total")]
    for outcome in (
        "success",
        "upstream_error",
        "upstream_auth_error",
        "upstream_rate_limited",
        "upstream_unreachable",
    ):
        assert any(f'outcome="{outcome}"' in name for name in attempts), (outcome, attempts)


def authorised(gateway: Gateway) -> list[str]:
    return [line for line in scrape(gateway, TOKEN).body.decode().splitlines() if not line.startswith("#")]
