"""Limits, budgets, plans, groups and prices: what they are once read, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.config.allowances import Budget, Limits
from app.config.amounts import NANO, dollars, dollars_text

KEY = "sk-0123456789abcdef"


def limits(text: str) -> str:
    return f"plans: {{a: {{limits: {text}}}}}"


def budget(text: str) -> str:
    return f"plans: {{a: {{budget: {text}}}}}"


def test_limits_stand_in_five_places_and_in_groups(loads) -> None:
    config = loads(
        f"""
        plans: {{small: {{limits: {{rpm: 1, rpd: 2, tpm: 3, itpm: 4, otpm: 5, concurrency: 6}}}}}}
        auth: {{keys: [{{name: ci, key: {KEY}, plan: small, limits: {{rpm: 7}}, priority: high}}]}}
        providers: {{openai: {{limits: {{tpm: 8}}, keys: [{{key: {KEY}, limits: {{rpd: 9}}}}]}}}}
        models: {{fast: {{targets: [openai/a], limits: {{otpm: 10}}, queue: {{max_wait: 2s}}}}}}
        limit_groups: {{gpt: {{models: ["openai/gpt-*"], itpm: 11}}}}
        """
    ).config
    every = {"rpm": 1, "rpd": 2, "tpm": 3, "itpm": 4, "otpm": 5, "concurrency": 6}
    assert config.plans["small"].limits.stated == every
    (key,) = config.auth.keys
    assert (key.plan, key.priority, key.limits.stated) == ("small", "high", {"rpm": 7})
    openai = config.providers["openai"]
    assert (openai.limits.stated, openai.keys[0].limits.stated) == ({"tpm": 8}, {"rpd": 9})
    assert config.models["fast"].limits.stated == {"otpm": 10}
    assert config.models["fast"].queue.max_wait == 2
    group = config.limit_groups["gpt"]
    assert (group.models, group.stated) == (("openai/gpt-*",), {"itpm": 11})


def test_what_is_not_there_limits_nothing(loads) -> None:
    config = loads(
        f"auth: {{keys: [{{name: a, key: {KEY}}}]}}\nmodels: {{a: [echo/x]}}\nplans: {{b: }}"
    ).config
    (key,) = config.auth.keys
    assert (key.plan, key.limits.stated, key.budget, key.priority) == (None, {}, (), None)
    model = config.models["a"]
    assert (model.names, model.limits.stated, model.budget) == (("echo/x",), {}, ())
    assert (config.plans["b"].limits.stated, config.plans["b"].budget) == ({}, ())


@pytest.mark.parametrize(
    ("text", "capacity"),
    [("1", 1), ("100_000", 100_000), ("1_0", 10), ("'5'", 5), ("999999999999999999", 10**18 - 1)],
)
def test_a_limit_is_a_whole_number(loads, text: str, capacity: int) -> None:
    assert loads(limits(f"{{rpm: {text}}}")).config.plans["a"].limits.rpm == capacity


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is blank, which is no limit; give a number such as `60`, or remove the key"),
        ("null", "is blank, which is no limit; give a number such as `60`, or remove the key"),
        ("''", "is blank, which is no limit; give a number such as `60`, or remove the key"),
        ("'${NONE:-}'", "is blank, which is no limit; give a number such as `60`, or remove the key"),
        ("0", "a limit of 0 lets no call through; remove the key or revoke it"),
        *(
            (text, f"`{text}` is no limit; write a whole number, such as `100000` or `100_000`")
            for text in (
                "100k",
                "2M",
                "-1",
                "+5",
                "1.5",
                "1e3",
                "007",
                "_1",
                "1_",
                "1__0",
                "unlimited",
                "9" * 19,
            )
        ),
        ("[5]", "must be a whole number"),
    ],
)
def test_what_is_no_limit(complaints, text: str, said: str) -> None:
    (line,) = complaints(f"plans:\n  a:\n    limits:\n      rpm: {text}\n")
    assert line.startswith("config.yaml:4:")
    assert line.endswith(f": plans.a.limits.rpm: {said}")


@pytest.mark.parametrize("key", ["limits", "budget"])
def test_a_blank_is_never_without_limit(complaints, key: str) -> None:
    for text in ("", "null"):
        assert complaints(f"plans: {{a: {{{key}: {text}}}}}")[0].endswith(
            f": plans.a.{key}: is blank, which is no limit at all; write what is meant below it, or remove the key"
        )


def test_limits_take_typed_values_too() -> None:
    assert Limits(rpm=5).stated == {"rpm": 5}
    for wrong in (0, -1):
        with pytest.raises(ValidationError):
            Limits(tpm=wrong)


def test_a_budget_and_its_defaults(loads) -> None:
    (plain,) = loads(budget("{amount: 10.00, per: day}")).config.plans["a"].budget
    assert plain == Budget(amount=10 * NANO, per="day")
    assert (plain.amount, plain.per, plain.timezone, plain.mode) == (10_000_000_000, "day", "UTC", "learned")
    assert (plain.notify, plain.fit_max_tokens) == ((Decimal("0.8"),), False)
    text = "{amount: '0.000000001', per: total, timezone: Europe/Berlin, mode: strict, notify: [0.5, 0.80, 1], fit_max_tokens: true}"
    (full,) = loads(budget(text)).config.plans["a"].budget
    assert (full.amount, full.per, full.timezone, full.mode) == (1, "total", "Europe/Berlin", "strict")
    assert (full.notify, full.fit_max_tokens) == ((Decimal("0.5"), Decimal("0.8"), Decimal(1)), True)
    assert loads(budget("{amount: 1, per: day, notify: []}")).config.plans["a"].budget[0].notify == ()


def test_budgets_of_several_periods(loads) -> None:
    for place in ("plans: {a: %s}", "models: {a: {targets: [echo/x], %s}}", "providers: {echo: {%s}}"):
        text = "budget: [{amount: 1, per: hour}, {amount: 10, per: day}]"
        config = loads(place % (f"{{{text}}}" if place.startswith("plans") else text)).config
        (holder,) = (*config.plans.values(), *config.models.values(), *config.providers.values())
        assert [(each.amount, each.per) for each in holder.budget] == [(NANO, "hour"), (10 * NANO, "day")]
    assert loads(budget("[]")).config.plans["a"].budget == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{per: day}", "1:13: plans.a.budget.amount: is missing; this setting has no default"),
        ("{amount: 1}", "1:13: plans.a.budget.per: is missing; this setting has no default"),
        ("{amount: 1, per: year}", "1:38: plans.a.budget.per: `year` is none of minute, hour, day, week, month, total"),
        ("{amount: 1, per: dya}", "1:38: plans.a.budget.per: `dya` is none of minute, hour, day, week, month, total; did you mean `day`?"),
        ("{amount: 1, per: day, amont: 2}", "1:43: plans.a.budget.amont: unknown key; did you mean `amount`?"),
        ("[{amount: 1, per: day, amont: 2}]", "1:44: plans.a.budget[0].amont: unknown key; did you mean `amount`?"),
        ("[{amount: 1, per: day}, {amount: x, per: hour}]", '1:54: plans.a.budget[1].amount: `x` is no amount of dollars; write dollars as in "10.00": digits and a point alone'),
        ("[{amount: 1, per: day}, {amount: 2, per: day, timezone: Europe/Berlin}]", "1:13: plans.a.budget: two budgets per day; a period takes one budget: keep one of them"),
        ("10.00", "1:21: plans.a.budget: must be a list; write `[…]`, or lines that begin with `- `"),
        ("{amount: 0, per: day}", "1:30: plans.a.budget.amount: a budget of 0 lets no call through; remove the key or revoke it"),
        ("{amount: '0.000', per: day}", "1:30: plans.a.budget.amount: a budget of 0 lets no call through; remove the key or revoke it"),
        ("{amount: , per: day}", '1:29: plans.a.budget.amount: must be an amount; write dollars as in "10.00"'),
        ("{amount: 0.0000000001, per: day}", "1:30: plans.a.budget.amount: `0.0000000001` is finer than a nano-dollar; write nine decimals at most"),
        ("{amount: 1000000000.01, per: day}", "1:30: plans.a.budget.amount: `1000000000.01` is more than a budget can hold; write 1000000000 at most"),
        ("{amount: 1, per: day, timezone: Europe/Berln}", "1:53: plans.a.budget.timezone: there is no time zone `Europe/Berln`; did you mean `Europe/Berlin` or"),
        ("{amount: 1, per: day, timezone: ../etc/passwd}", "1:53: plans.a.budget.timezone: there is no time zone `../etc/passwd`; write an IANA name, such as `Europe/Berlin`"),
        ("{amount: 1, per: day, timezone: ''}", "1:53: plans.a.budget.timezone: must not be empty"),
        ("{amount: 1, per: day, mode: strikt}", "1:49: plans.a.budget.mode: `strikt` is none of strict, learned; did you mean `strict`?"),
        ("{amount: 1, per: day, notify: [0.9, 0.5]}", "1:43: plans.a.budget.notify: the shares do not ascend; write [0.5, 0.9]"),
        ("{amount: 1, per: day, notify: [0.5, 0.50]}", "1:43: plans.a.budget.notify: the shares do not ascend; write [0.5]"),
        ("{amount: 1, per: day, notify: [0]}", "1:52: plans.a.budget.notify[0]: must be more than 0"),
        ("{amount: 1, per: day, notify: [80]}", "1:52: plans.a.budget.notify[0]: must be at most 1"),
        ("{amount: 1, per: day, notify: [80%]}", "1:52: plans.a.budget.notify[0]: `80%` is no share; write a decimal number up to 1: `0.8` for four fifths"),
        ("{amount: 1, per: day, notify: 0.8}", "1:51: plans.a.budget.notify: must be a list; write `[…]`, or lines that begin with `- `"),
        ("{amount: 1, per: day, fit_max_tokens: yes}", "1:59: plans.a.budget.fit_max_tokens: `yes` is neither true nor false; write `true` or `false`"),
    ],
)  # fmt: skip
def test_what_is_no_budget(complaints, text: str, line: str) -> None:
    (said,) = complaints(budget(text))
    assert said.startswith(f"config.yaml:{line}")


@pytest.mark.parametrize(
    "text", ["$10", "10 USD", "1e3", "'1,000.00'", "-5", "+5", ".5", "5.", "1_000", "NaN", "inf"]
)
def test_what_is_no_amount(complaints, text: str) -> None:
    (line,) = complaints(budget(f"{{amount: {text}, per: day}}"))
    assert 'is no amount of dollars; write dollars as in "10.00"' in line


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("1000000000", 10**18),
        ("0.1", 100_000_000),
        ("0.30000000000000", 300_000_000),
        ("123456789.987654321", 123_456_789_987_654_321),
    ],
)
def test_amounts_are_exact(loads, text: str, nano: int) -> None:
    (found,) = loads(budget(f"{{amount: {text}, per: day}}")).config.plans["a"].budget
    assert found.amount == nano


@given(st.integers(min_value=1, max_value=10**18))
def test_a_written_amount_reads_back(nano: int) -> None:
    assert dollars(dollars_text(nano)) == nano


@pytest.mark.parametrize("wrong", [0, -1, 10**18 + 1, 1.5, Decimal("1.5")])
def test_a_typed_amount_is_nano_dollars(wrong) -> None:
    with pytest.raises(ValidationError):
        Budget(amount=wrong, per="day")


def test_an_unknown_plan_is_named(complaints) -> None:
    key = f"{{name: a, key: {KEY}, plan: smal}}"
    (line,) = complaints(f"auth: {{keys: [{key}]}}\nplans: {{small: {{}}}}")
    assert line == "config.yaml:1:57: auth.keys[0].plan: there is no plan `smal`; did you mean `small`?"
    (line,) = complaints(f"auth: {{keys: [{key}]}}")
    assert line.endswith("there is no plan `smal`; name it under `plans`")


def test_a_broken_plan_is_still_known(complaints) -> None:
    (line,) = complaints(
        f"auth: {{keys: [{{name: a, key: {KEY}, plan: small}}]}}\nplans: {{small: {{limits: {{rpm: 0}}}}}}"
    )
    assert "plans.small.limits.rpm" in line


def test_a_plan_that_is_empty_is_a_mistake_and_none_is_null(loads, complaints) -> None:
    (line,) = complaints(f"auth: {{keys: [{{name: a, key: {KEY}, plan: '${{PLAN:-}}'}}]}}")
    assert line.endswith("auth.keys[0].plan: must not be empty")
    assert loads(f"auth: {{keys: [{{name: a, key: {KEY}, plan: null}}]}}").config.auth.keys[0].plan is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plans: {a/b: {}}", "1:9: plans.a/b: `a/b` cannot be a plan's name; use letters, digits, `-`, `_` and `.`, and no `/`"),
        ("limit_groups: {a/b: {models: [x/y], rpm: 1}}", "1:16: limit_groups.a/b: `a/b` cannot be a group's name; use letters, digits, `-`, `_` and `.`, and no `/`"),
        ("plans: {a: {limit: {}}}", "1:13: plans.a.limit: unknown key; did you mean `limits`?"),
        ("plans: {a: {limits: {rpmm: 1}}}", "1:22: plans.a.limits.rpmm: unknown key; did you mean `rpm`?"),
        (f"auth: {{keys: [{{name: a, key: {KEY}, priority: urgent}}]}}", "1:61: auth.keys[0].priority: `urgent` is none of low, normal, high"),
        ("limit_groups: {a: {models: [openai/x]}}", "1:16: limit_groups.a: has no limits; give at least one, such as `tpm: 400000`"),
        ("limit_groups: {a: {rpm: 1}}", "1:16: limit_groups.a.models: is missing; this setting has no default"),
        ("limit_groups: {a: {models: [], rpm: 1}}", "1:20: limit_groups.a.models: has no models; give patterns over provider/model: [anthropic/*]"),
    ],
)  # fmt: skip
def test_what_is_no_plan_and_no_group(complaints, text: str, line: str) -> None:
    assert complaints(text) == [f"config.yaml:{line}"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        *((good, None) for good in ("acme/*", "acme/large", "ac*", "*", "*/large", "*large", "[ab]cme/x", "ac?e/*", "groq/*")),
        ("acm/*", "acm/* fits no model of a provider that is configured"),
        ("openai/gpt-4o", "openai/gpt-4o fits no model of a provider that is configured"),
        ("large", "large fits no model of a provider that is configured: patterns are over provider/model, as `*/large`"),
        ("claude-*", "claude-* fits no model of a provider that is configured: patterns are over provider/model, as `*/claude-*`"),
    ],
)  # fmt: skip
def test_a_group_that_nothing_fits_is_told_of(loads, pattern: str, said: str | None) -> None:
    text = f"providers: {{acme: {{base_url: 'https://a.test'}}, groq: {{}}}}\nlimit_groups: {{g: {{models: ['{pattern}'], rpm: 1}}}}"
    assert loads(text).warnings == (() if said is None else (f"limit_groups.g: {said}",))


def test_prices_stay_what_was_written(loads) -> None:
    text = 'providers: {openai: {prices: {"gpt-*": {input_mtok: "1.10", output_mtok: 2.0, request: 0.000000000000000001}, free: {request: 0}}}}'
    prices = loads(text).config.providers["openai"].prices
    assert {pattern: price.stated for pattern, price in prices.items()} == {
        "gpt-*": {"input_mtok": "1.10", "output_mtok": "2.0", "request": "0.000000000000000001"},
        "free": {"request": "0"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{x: {}}", 'prices.x: has no prices; give input_mtok: "1.00" and output_mtok: "2.00"'),
        ("{x: {input_mtok: 1}}", 'prices.x: output_mtok is missing; write output_mtok: "0" if those tokens are free'),
        ("{x: {cached_mtok: 1, output_mtok: 1}}", 'prices.x: input_mtok is missing; write input_mtok: "0" if those tokens are free'),
        ("{x: {input_mtok: , output_mtok: 1}}", 'prices.x.input_mtok: is blank, which is no price; give one such as "0.15", or remove the key'),
        ("{x: {input_mtok: $1, output_mtok: 1}}", 'prices.x.input_mtok: `$1` is no price; write a decimal number of dollars, such as "0.15"'),
        ("{x: {input_mtok: -1, output_mtok: 1}}", 'prices.x.input_mtok: `-1` is no price; write a decimal number of dollars, such as "0.15"'),
        ("{x: {input_mtok: 1e-3, output_mtok: 1}}", 'prices.x.input_mtok: `1e-3` is no price; write a decimal number of dollars, such as "0.15"'),
        ("{x: {input: 1, input_mtok: 1, output_mtok: 1}}", "prices.x.input: unknown key; did you mean `input_mtok`"),
        ("{x: {request: 1}, X: {request: 2}}", "prices: `x` stands here twice, in different letter case; keep one of them"),
    ],
)  # fmt: skip
def test_what_is_no_price(complaints, text: str, said: str) -> None:
    (line,) = complaints(f"providers: {{openai: {{prices: {text}}}}}")
    assert f": providers.openai.{said}" in line
