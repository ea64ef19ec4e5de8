"""What is done about a provider that fails, as the configuration says it."""

from __future__ import annotations

from decimal import Decimal

import pytest

ACME = "base_url: 'https://a.test'"


def test_a_provider_has_the_defaults_and_what_is_said(loads) -> None:
    acme, zeta = loads(
        f"providers: {{acme: {{{ACME}, breaker: {{consecutive: 3, failure_ratio: 0.55, open_for: 200ms}},"
        f" retry: {{attempts: 1}}}}, zeta: {{{ACME}, breaker: , retry: }}}}"
    ).providers
    said = acme.breaker
    assert (said.consecutive, said.failure_ratio, said.open_for) == (3, Decimal("0.55"), 0.2)
    assert (acme.retry.attempts, acme.retry.backoff) == (1, 0.2)
    default = zeta.breaker
    assert (default.consecutive, default.failure_ratio, default.min_calls) == (5, Decimal("0.5"), 20)
    assert (default.window, default.open_for, default.max_open) == (10, 5, 300)
    assert (zeta.retry.attempts, zeta.retry.backoff, zeta.retry.max_backoff) == (2, 0.2, 5)


def test_a_provider_that_is_on_by_its_variable_has_the_defaults(loads) -> None:
    (openai,) = loads("", environ={"OPENAI_API_KEY": "o"}).providers
    assert (openai.breaker.consecutive, openai.retry.attempts) == (5, 2)


def test_a_variable_lies_over_the_file(loads) -> None:
    environ = {"SWITCHGEAR_PROVIDERS__ACME__BREAKER__CONSECUTIVE": "7"}
    (acme,) = loads(f"providers: {{acme: {{{ACME}}}}}", environ=environ).providers
    assert acme.breaker.consecutive == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("breaker: {consecutive: 0}", "breaker.consecutive: must be at least 1"),
        ("breaker: {failure_ratio: 0}", "breaker.failure_ratio: must be more than 0"),
        ("breaker: {failure_ratio: 1.5}", "breaker.failure_ratio: must be at most 1"),
        ("breaker: {failure_ratio: 50%}", "breaker.failure_ratio: `50%` is no share"),
        ("breaker: {min_calls: 2.5}", "breaker.min_calls: `2.5` is no whole number"),
        ("breaker: {window: 0s}", "breaker.window: must be more than 0"),
        ("breaker: {window: 10}", "breaker.window: `10` has no unit; write `10s` for seconds"),
        ("breaker: {open_for: 0s}", "breaker.open_for: must be more than 0"),
        ("breaker: {openfor: 5s}", "breaker.openfor: unknown key; did you mean `open_for`?"),
        (
            "breaker: {open_for: 10m}",
            "breaker: max_open is shorter than open_for, which is 600s; write max_open: 600s or more",
        ),
        ("breaker: 5", "breaker: must be a mapping"),
        ("retry: {attempts: 0}", "retry.attempts: must be at least 1"),
        ("retry: {backoff: -1s}", "retry.backoff: `-1s` is no duration"),
        (
            "retry: {backoff: 6s}",
            "retry: max_backoff is shorter than backoff, which is 6s; write max_backoff: 6s or more",
        ),
    ],
)
def test_what_is_wrong_is_said(complaints, text: str, said: str) -> None:
    (line,) = complaints(f"providers: {{acme: {{{ACME}, {text}}}}}")
    assert f": providers.acme.{said}" in line


def test_no_wait_at_all_between_tries_can_be_said(loads) -> None:
    (acme,) = loads(f"providers: {{acme: {{{ACME}, retry: {{backoff: 0s, max_backoff: 0s}}}}}}").providers
    assert (acme.retry.backoff, acme.retry.max_backoff) == (0, 0)


def test_a_models_tries(loads, complaints) -> None:
    text = "models: {a: [echo/x], b: {targets: [echo/x], max_attempts: 7}, c: {targets: [echo/x], max_attempts: }}"
    models = loads(text).config.models
    assert [models[name].max_attempts for name in "abc"] == [None, 7, None]
    (line,) = complaints("models: {a: {targets: [echo/x], max_attempts: 0}}")
    assert ": models.a.max_attempts: must be at least 1" in line
