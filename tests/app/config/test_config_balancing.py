"""What stands behind a public model, as the configuration says it: weights, fallbacks, mirrors, regions."""

from __future__ import annotations

from decimal import Decimal

import pytest

KEY = "auth: {keys: [{name: a, key: sk-0123456789abcdef, %s}]}\n"
PROVIDERS = "providers: {p: {base_url: 'https://p.test', region: eu}, q: {base_url: 'https://q.test'}}\n"


def test_targets_are_names_or_have_weights(loads) -> None:
    text = "models: {a: [p/x, {target: q/y, weight: 3}], b: {targets: [{target: a, weight: 95}, p/z]}}"
    models = loads(PROVIDERS + text).config.models
    assert [(each.target, each.weight) for each in models["a"].targets] == [("p/x", 1), ("q/y", 3)]
    assert [(each.target, each.weight) for each in models["b"].targets] == [("a", 95), ("p/z", 1)]
    assert (models["a"].balance, models["a"].sticky, models["a"].mirror) == ("order", None, None)
    assert models["a"].fallback.chains == {}


def test_a_plain_list_of_fallbacks_is_the_default_chain(loads) -> None:
    text = (
        "models: {a: {targets: [p/x], fallback: [q/y, b]}, b: [q/z],"
        " c: {targets: [p/x], fallback: {rate_limit: [q/y], content_policy: }}}"
    )
    models = loads(PROVIDERS + text).config.models
    assert models["a"].fallback.chains == {"default": ("q/y", "b")}
    assert models["c"].fallback.chains == {"rate_limit": ("q/y",)}


def test_a_mirror_and_times_of_a_model(loads) -> None:
    text = "models: {a: {targets: [p/x], mirror: {target: q/y}, timeouts: {first_event: 5s, idle: }}}"
    a = loads(PROVIDERS + text).config.models["a"]
    assert (a.mirror.target, a.mirror.share) == ("q/y", Decimal("0.01"))
    assert a.timeouts.stated == {"first_event": 5.0}


def test_a_variable_lies_over_the_file(loads) -> None:
    environ = {
        "SWITCHGEAR_MODELS__A__BALANCE": "weighted",
        "SWITCHGEAR_MODELS__A__FALLBACK": "q/y,q/z",
        "SWITCHGEAR_MODELS__A__TARGETS": '["p/x", {"target": "q/v", "weight": 2}]',
    }
    a = loads(PROVIDERS + "models: {a: [p/x]}", environ=environ).config.models["a"]
    assert (a.balance, a.fallback.default) == ("weighted", ("q/y", "q/z"))
    assert [each.weight for each in a.targets] == [1, 2]


def test_a_key_and_its_regions(loads) -> None:
    assert loads(PROVIDERS + KEY % "regions: [eu]").config.auth.keys[0].regions == ("eu",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{targets: [{target: p/x, weight: 0}]}", "a.targets[0].weight: must be at least 1"),
        ("{targets: [{target: p/x, weight: 1.5}]}", "a.targets[0].weight: `1.5` is no whole number"),
        ("[{target: p/x, wieght: 2}]", "a[0].wieght: unknown key; did you mean `weight`?"),
        ("[{weight: 2}]", "a[0].target: is missing"),
        ("[{target: r/x}]", "a[0]: there is no provider `r`"),
        ("{targets: [p/x], balance: latncy}", "a.balance: `latncy` is none of order, weighted"),
        ("{targets: [p/x], sticky: key}", "a.sticky: `key` is none of user, session"),
        ("{targets: [p/x], fallback: q/x}", "a.fallback: must be a list of targets"),
        ("{targets: [p/x], fallback: [r/x]}", "a.fallback[0]: there is no provider `r`"),
        (
            "{targets: [p/x], fallback: {rate_limit: [p/x, bb]}}",
            "a.fallback.rate_limit[1]: there is no public",
        ),
        ("{targets: [p/x], fallback: {timeout: [p/x]}}", "a.fallback.timeout: unknown key"),
        ("{targets: [p/x], fallback: [a]}", "a: leads back to itself: a → a"),
        ("{targets: [p/x], fallback: {rate_limit: [b]}}, b: {targets: [p/y], fallback: [a]}", "a → b → a"),
        ("{targets: [p/x], fallback: [b]}, b: [a]", "a: leads back to itself: a → b → a"),
        ("{targets: [p/x], mirror: {target: p}}", "a.mirror.target: `p` is no single target"),
        ("{targets: [p/x], mirror: {target: r/x}}", "a.mirror.target: there is no provider `r`"),
        ("{targets: [p/x], mirror: {target: p/x, share: 1.5}}", "a.mirror.share: must be at most 1"),
        ("{targets: [p/x], timeouts: {connect: 1s}}", "a.timeouts.connect: unknown key"),
        ("{targets: [p/x], timeouts: {idle: 5}}", "a.timeouts.idle: `5` has no unit"),
    ],
)
def test_what_is_wrong_is_said(complaints, text: str, said: str) -> None:
    (line,) = complaints(f"{PROVIDERS}models: {{a: {text}}}")
    assert f"models.{said}" in line if " → b" not in said else said in line


def test_a_region_where_nobody_is_is_a_mistake(complaints) -> None:
    (line,) = complaints(PROVIDERS + KEY % "regions: [eus]")
    assert "auth.keys[0].regions[0]: no provider is in the region `eus`; did you mean `eu`?" in line


def test_fallbacks_count_as_targets(complaints) -> None:
    many = ", ".join(f"p/x{number}" for number in range(64))
    (line,) = complaints(f"{PROVIDERS}models: {{a: {{targets: [{many}], fallback: [q/y]}}}}")
    assert "models.a: stands for 65 targets" in line


def test_a_fallback_whose_provider_is_off_is_told_of(loads) -> None:
    notices = loads(PROVIDERS + "models: {a: {targets: [p/x], fallback: [openai/y]}}").notices
    assert any("models.a: openai/y is skipped" in notice for notice in notices)
