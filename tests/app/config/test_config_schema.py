"""The JSON Schema takes what the loader takes, and refuses what an editor should underline."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from app.config.schema import schema
from app.config.shape import every_key

VALIDATOR = jsonschema.Draft202012Validator(schema())

GOOD = [
    "{}",
    "x-anything: {a: 1}",
    "server: {port: 4000, max_body: 32MiB, drain: 60s}",
    "server: {port: '4000', max_body: 1024, allowed_hosts: [a.test]}",
    "server: {port: '${PORT:-4000}', drain: '${DRAIN}', max_body: '${SIZE}'}",
    "server:\nauth:\nproviders:\nmodels:\n",
    "auth: {master_key: {file: /run/secrets/x}, keys: [{name: 1, key: a, expires: null, metadata: {a: 10.10, b: ''}}]}",
    "providers: {openai: , acme: {base_url: 'https://a.test', keys: [a, {key: b}, {file: c}, {key: {file: d}}]}}",
    "providers: {acme: {exact: true, allow_private: 'false', timeouts: {connect: 1.5s}, max_tokens: 5}}",
    "logging: {level: '${LEVEL:-info}', format: console}",
    "models: {fast: [openai/gpt-4o-mini, other]}",
    "models: {fast: {targets: [openai/x], limits: {tpm: 100_000, rpm: '100_000'}, queue: {max_wait: 5s}}, b: }",
    "plans: {a: , b: {limits: {rpm: '${RPM}'}, budget: {amount: 10.00, per: day, notify: [0.5, '0.8']}}}",
    "plans: {a: {budget: [{amount: '10.00', per: day, mode: strict}, {amount: 1, per: '${PER}'}]}}",
    "auth: {keys: [{name: a, key: b, plan: c, priority: high, budget: {amount: 1, per: total}}]}",
    "providers: {a: {prices: {'*': {input_mtok: '1.00', output_mtok: 2}}, keys: [{key: a, limits: {rpm: 1}}]}}",
    "limit_groups: {a: {models: ['*'], concurrency: 5}}",
    "providers: {a: {breaker: {failure_ratio: 0.5, open_for: 5s}, retry: {attempts: 3, backoff: '${B}'}}, b: {breaker: }}",
    "models: {fast: {targets: [openai/x], max_attempts: 5}, b: {targets: [a/b], max_attempts: null}}",
    "ledger: {disconnect: drain, retention: 90d}\nnotifications: {webhook: {file: a}}",
]
BAD = [
    "servr: {}",
    "server: {prot: 1}",
    "server: {port: 70000}",
    "server: {drain: 60}",
    "server: {drain: 1w}",
    "auth: {keys: [{name: a}]}",
    "auth: {master_key: {fiel: x}}",
    "logging: {level: loud}",
    "models: {fast: openai/a}",
    "providers: {acme: {exact: maybe}}",
    "state: x",
    "plans: {a: {limits: {rpm: 0}}}",
    "plans: {a: {limits: {rpm: 100k}}}",
    "plans: {a: {limits: {rpm: null}}}",
    "plans: {a: {budget: {amount: 10}}}",
    "plans: {a: {budget: {amount: 0, per: day}}}",
    "plans: {a: {budget: {amount: 1, per: year}}}",
    "limit_groups: {a: {rpm: 5}}",
    "models: {fast: {target: [a/b]}}",
    "providers: {a: {breaker: {failure_ratio: 2}}}",
    "providers: {a: {retry: {attempts: 0}}}",
]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    json.dumps(schema())


@pytest.mark.parametrize("text", GOOD)
def test_it_takes_what_is_good(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize("text", BAD)
def test_it_refuses_what_is_bad(text: str) -> None:
    assert not VALIDATOR.is_valid(yaml.safe_load(text))


def test_every_setting_is_described() -> None:
    text = json.dumps(schema())
    settings = {path[-1] for path, _shape in every_key() if path[-1] != "*"}
    assert all(f'"{name}"' in text for name in settings)
    for section in (schema(), *schema()["$defs"].values()):
        for name, setting in section.get("properties", {}).items():
            described_there = "$ref" in json.dumps(setting)
            assert setting.get("description") or described_there, name
