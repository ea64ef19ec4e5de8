"""Limits and budgets of all levels above a caller hold at once, each shared by all below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.auth.directory import Bearer, Directory
from app.auth.principal import Principal
from app.config.loader import load
from app.config.models import Config
from app.gateway.rules import BudgetRules, LimitRules
from app.gateway.seeding import Seeding
from app.store.calls import CallStore
from app.store.database import Database
from app.store.spending import SpendStore
from app.telemetry.callers import without_user
from app.telemetry.record import Charge
from app.usage.budget_book import BudgetBook
from app.usage.local_budgets import LocalBudgets
from app.usage.seeding import seed
from tests.app.gateway.building import NOON, House, build, chat, provider_yaml

LEVELS = """
organisations: {acme: {%(organisation)s}}
teams:
  search: {organisation: acme, plan: small, %(team)s}
  ops: {organisation: acme}
users:
  jo: {team: search, %(user)s}
  al: {team: search}
plans: {small: {%(plan)s}}
"""


def yaml(**levels: str) -> str:
    """Give a configuration with two keys of one user, one of another, and one of another team."""
    said = {name: levels.get(name, "") for name in ("organisation", "team", "user", "plan")}
    keys = "".join(
        f"    - {{name: {name}, key: sk-test-{name}-0123456789abcdef, {more}}}\n"
        for name, more in {
            "jo1": "user: jo, " + levels.get("key", ""),
            "jo2": "user: jo",
            "al": "user: al",
            "ops": "team: ops",
        }.items()
    )
    return (
        f"version: 1\nauth:\n  keys:\n{keys}providers:\n{provider_yaml('up')}models: {{m: [up/m]}}\n"
        + LEVELS % said
    )


async def passes(house: House, *keys: str) -> str:
    """Say who of these callers got through, in their order: `+` or `-`."""
    said = [await house.outcome(chat(max_tokens=10), key=key) for key in keys]
    return "".join("+" if each == "ok" else "-" for each in said)


ALL = ("jo1", "jo2", "al", "ops")


@pytest.mark.parametrize(
    ("level", "through"),
    [
        # Of each level two calls; every caller calls twice, in turn.
        ("key", "++++-+++"),
        ("user", "++++--++"),
        ("team", "++-+---+"),
        ("organisation", "++------"),
        # The plan of the team: every user of it has two, over all keys.
        ("plan", "++++--++"),
    ],
)
async def test_a_level_is_shared_by_all_below_it(tmp_path: Path, level: str, through: str) -> None:
    limit = 1 if level == "key" else 2
    house = build(tmp_path, yaml(**{level: f"limits: {{rpm: {limit}}}"}))
    assert await passes(house, *ALL, *ALL) == through


async def test_a_refusal_names_the_level_and_takes_nothing_of_the_others(tmp_path: Path) -> None:
    house = build(tmp_path, yaml(organisation="limits: {rpm: 3}", user="limits: {rpm: 1}"))
    assert await passes(house, "jo1", "jo2", "jo2", "jo2", "al", "ops", "ops") == "+---++-"


async def test_a_token_shares_what_its_user_has_with_the_keys(tmp_path: Path) -> None:
    house = build(tmp_path, yaml(plan="limits: {rpm: 2}"))
    directory = Directory(load([tmp_path / "config.yaml"], {}, {}).config)
    house.keys["token"] = directory.of_bearer(Bearer("jo", teams=("search",), expires=NOON))
    house.keys["new"] = directory.of_bearer(Bearer("new", teams=("search",), expires=NOON))
    assert await passes(house, "jo1", "token", "token", "jo2", "new", "new", "new") == "++--++-"
    assert [(r.key, r.user, r.team, r.organisation) for r in house.memory.records][1:3] == [
        (None, "jo", "search", "acme"),
        (None, "new", "search", "acme"),
    ]
    (intent,) = [each for each in house.memory.intents if each.user == "jo" and each.key is None]
    assert (intent.team, intent.organisation) == ("search", "acme")


async def test_budgets_of_all_levels_are_charged_alike(tmp_path: Path) -> None:
    budget = 'budget: {amount: "1.00", per: day}'
    house = build(tmp_path, yaml(organisation=budget, team=budget, user=budget, key=budget, plan=budget))
    assert await passes(house, "jo1", "jo2", "al") == "+++"
    one = house.memory.records[0].cost_nano
    assert one
    subjects = (
        "key:jo1",
        "user:jo",
        "plan:small/user:jo",
        "plan:small/user:al",
        "team:search",
        "organisation:acme",
    )
    assert [house.spent(subject) for subject in subjects] == [one, 2 * one, 2 * one, one, 3 * one, 3 * one]
    assert house.reserved() == 0


@pytest.mark.parametrize("level", ["key", "user", "team", "organisation", "plan"])
async def test_the_budget_of_each_level_ends_the_calls(tmp_path: Path, level: str) -> None:
    house = build(tmp_path, yaml(**{level: 'budget: {amount: "0.00000001", per: day}'}))
    assert await house.outcome(chat(max_tokens=10), key="jo1") == "insufficient_quota"
    assert await house.outcome(chat(max_tokens=10), key="ops") == (
        "insufficient_quota" if level == "organisation" else "ok"
    )


async def test_case_34_no_level_gives_what_another_withholds(tmp_path: Path) -> None:
    house = build(
        tmp_path, yaml(team="models: [m]", user='models: ["up/*", m]', organisation="models: [m, 'up/m']")
    )
    assert await house.outcome(chat(), key="jo1") == "ok"
    assert await house.outcome(chat(model="up/m"), key="jo1") == "permission_denied"
    assert await house.outcome(chat(model="up/m"), key="ops") == "ok"
    assert await house.outcome(chat(model="up/other"), key="ops") == "permission_denied"


# Resolving.

_PATTERNS = st.lists(st.sampled_from(["*", "a*", "*b", "ab", "x"]), max_size=2)
_LEVEL = st.fixed_dictionaries(
    {"models": _PATTERNS, "priority": st.sampled_from([None, "low", "normal", "high"])}
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(_LEVEL, _LEVEL, _LEVEL, _LEVEL)
def test_a_key_may_use_what_every_level_allows(organisation, team, user, key) -> None:
    config = Config.model_validate(
        {
            "organisations": {"o": organisation},
            "teams": {"t": {**team, "organisation": "o"}},
            "users": {"u": {**user, "team": "t"}},
            "auth": {"keys": [{"name": "k", "key": "sk-0123456789abcdef", "user": "u", **key}]},
        }
    )
    principal = Directory(config).of_key(config.auth.keys[0])
    assert principal is not None
    alone = [Principal("x", tuple(each["models"])) for each in (organisation, team, user, key)]
    for model in ("ab", "a", "b", "x", "z"):
        assert principal.may_use(model) == all(each.may_use(model) for each in alone)
    stated = [each["priority"] for each in (organisation, team, user, key) if each["priority"]]
    order = ["low", "normal", "high"]
    assert principal.priority == (order[min(map(order.index, stated))] if stated else "normal")


def test_the_nearest_plan_counts_and_says_who_has_it() -> None:
    config = Config.model_validate(
        {
            "organisations": {"o": {"plan": "far"}},
            "teams": {"t": {"organisation": "o"}, "n": {"organisation": "o", "plan": "near"}},
            "users": {"u": {"team": "t"}, "v": {"team": "n", "plan": "own"}},
            "auth": {
                "keys": [
                    {"name": name, "key": f"sk-{name}-0123456789abcdef", **more}
                    for name, more in {
                        "a": {"plan": "mine", "user": "v"},
                        "b": {"user": "v"},
                        "c": {"user": "u"},
                        "d": {"team": "n"},
                        "e": {},
                    }.items()
                ]
            },
        }
    )
    found = [Directory(config).of_key(key) for key in config.auth.keys]
    assert [(each.plan, each.plan_of) for each in found if each] == [
        ("mine", None),
        ("own", "user:v"),
        ("far", "user:u"),
        ("near", None),
        (None, None),
    ]


def test_what_is_known_of_a_caller_is_bounded() -> None:
    rules = LimitRules(Config.model_validate({"plans": {"p": {"limits": {"rpm": 1}}}}))
    for number in range(10_100):
        rules.of_client(Principal(f"user:{number}", by_token=True, user=str(number), plan="p"), "m")
    assert len(rules._of_client) == 10_000


async def test_a_restart_remembers_what_users_that_only_tokens_name_have_spent(tmp_path, make_record) -> None:
    budget = {"amount": "1.00", "per": "day", "mode": "strict"}
    rules = BudgetRules(Config.model_validate({"plans": {"small": {"budget": budget}}}))
    bearer = Principal("user:jo", by_token=True, user="jo", plan="small", plan_of="user:jo")
    (found,) = rules.of_client(bearer, "m")
    charge = Charge(
        subject="plan:small/user:jo", period="day", period_start=found.budget.period.start(NOON), nano=7
    )
    other = Charge(subject="plan:gone/user:jo", period="day", period_start=charge.period_start, nano=9)
    database = await Database.open(f"sqlite:///{tmp_path}/a.db")
    await CallStore(database).insert_calls([make_record("a", charges=[charge, other])], "run", 1)
    book = BudgetBook()
    budgets = LocalBudgets(book, lambda book, known: seed(book, known, SpendStore(database), NOON, None))
    await budgets.know(Seeding(SpendStore(database), rules, tuple, lambda: NOON))
    await database.close()
    assert book.standing(found.budget, NOON).spent == 7


def test_metrics_name_no_users() -> None:
    said = ["user:jo", "plan:small/user:jo", "plan:small/ci", "team:search", "key:ci"]
    assert [without_user(each) for each in said] == [
        "user",
        "plan:small",
        "plan:small/ci",
        "team:search",
        "key:ci",
    ]
