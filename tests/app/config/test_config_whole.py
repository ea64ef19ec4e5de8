"""A file with everything that is planned: what of it is still refused, and that the rest works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from app.config.pool import Pool
from app.config.resilience import BreakerSettings, RetrySettings

WHOLE = Path(__file__).with_name("whole.yaml").read_text(encoding="utf-8")
ENVIRON = {name: f"sk-{name}-0123456789" for name in ("CI_KEY", "ACME_1", "ACME_2")}

REFUSED = [
    "logging.content",
    "server.cors",
    "server.workers",
]


def available() -> dict[str, Any]:
    """Give the file as it is when the refused keys are taken out."""
    whole: dict[str, Any] = yaml.safe_load(WHOLE)
    for path in REFUSED:
        *parents, key = path.split(".")
        section: Any = whole
        for part in parents:
            section = section[part]
        del section[key]
    # Not a row of the catalogue.
    whole["providers"]["azure"] = {"base_url": "https://acme.azure.test/v1"}
    return whole


def dumped(whole: dict[str, Any]) -> str:
    """Write it as JSON, which is YAML too and quotes every text."""
    return json.dumps(whole)


def test_what_is_refused_of_it(complaints) -> None:
    lines = complaints(WHOLE, environ=ENVIRON)
    (azure,) = (line for line in lines if "models.smart.targets[1]: there is no provider `azure`" in line)
    lines.remove(azure)
    assert all("not available yet" in line for line in lines)
    assert sorted(line.split(": ")[1] for line in lines) == REFUSED


def test_the_rest_is_taken(loads) -> None:
    config = loads(dumped(available()), environ=ENVIRON).config
    (key,) = config.auth.keys
    assert (key.plan, key.priority) == ("small", "normal")
    (issuer,) = config.auth.jwt
    assert (issuer.algorithms, issuer.claims.team, issuer.prefix) == (("RS256",), "team", "")
    assert [str(network) for network in config.server.trusted_proxies] == ["10.0.0.0/8"]
    assert config.organisations["acme"].limits.stated == {"rpm": 1000}
    assert (config.teams["search"].organisation, config.users["jo"].team) == ("acme", "search")
    assert config.plans["small"].limits.stated == {"rpm": 60, "tpm": 100_000}
    assert config.providers["acme"].limits.stated == {"rpm": 500, "tpm": 200_000, "concurrency": 100}
    first, second = config.providers["acme"].keys
    assert first.limits.stated == {"rpm": 50, "itpm": 50_000, "otpm": 10_000}
    assert (first.weight, first.models, second.weight, second.models) == (2, ("large",), 1, ())
    assert config.providers["acme"].breaker == BreakerSettings()
    assert config.providers["acme"].retry == RetrySettings()
    assert config.providers["acme"].pool == Pool()
    assert config.models["smart"].max_attempts is None
    assert config.providers["acme"].region == "eu"
    assert config.models["smart"].balance == "weighted"
    assert config.models["smart"].fallback.chains == {"default": ("anthropic/claude-sonnet-4-5",)}
    assert [each.weight for each in config.models["smart"].targets] == [3, 1]
    assert config.chains["smart"] == ("openai/gpt-4o", "azure/gpt-4o")
