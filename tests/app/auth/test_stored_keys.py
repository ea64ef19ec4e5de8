"""What keys of the database carry holds as what configured ones do, and follows the store and the configuration."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog

from app.auth.directory import Directory
from app.auth.freshness import Freshness
from app.auth.key_settings import settings_of, stored_form
from app.auth.keyring import KeyRing
from app.auth.making import make_key
from app.auth.snapshot import StoredKeys
from app.config.identities import KeySettings
from app.config.models import Config
from app.gateway.rules import BudgetRules, LimitRules
from app.store.keys import KeyStore

CONFIG = {
    "plans": {"small": {"limits": {"tpm": "1000"}}},
    "organisations": {"acme": {"budget": {"amount": "100", "per": "day"}}},
    "teams": {"red": {"organisation": "acme", "limits": {"rpm": "30"}}},
    "users": {"ann": {"team": "red"}, "bob": {}},
}
SETTINGS = KeySettings.model_validate(
    {
        "models": ["fast", "openai/*"],
        "regions": ["eu"],
        "user": "ann",
        "team": "red",
        "plan": "small",
        "priority": "low",
        "limits": {"rpm": "5", "concurrency": "2"},
        "budget": [{"amount": "1.50", "per": "day", "mode": "strict", "notify": ["0.5"]}],
        "roles": ["viewer"],
        "metadata": {"for": "tests"},
        "expires": datetime(2099, 1, 1, tzinfo=UTC),
    }
)


class Desk:
    def __init__(self, database):
        self.store = KeyStore(database)
        self.ring = KeyRing([], lambda: self.now)
        self.now = 1000.0
        directory = Directory(Config.model_validate(CONFIG))
        freshness = Freshness(10.0, lambda: self.now)
        self.stored = StoredKeys(self.store, self.ring, directory, freshness, structlog.get_logger())

    async def make(self, name, settings):
        _, new = make_key(name, settings)
        await self.store.create_key(new, self.now)
        await self.stored.refresh()
        return new


@pytest.fixture
def desk(database):
    return Desk(database)


def test_settings_come_back_from_the_database_as_they_were():
    _, new = make_key("app", SETTINGS)
    assert settings_of(new) == SETTINGS
    assert settings_of(make_key("bare")[1]) == KeySettings()
    assert stored_form(settings_of(new)) == stored_form(SETTINGS)


async def test_limits_and_budgets_of_a_stored_key_hold_besides_those_above_it(desk):
    new = await desk.make("app", SETTINGS)
    config = Config.model_validate(CONFIG)
    caller = desk.ring.find(new.digest)
    assert (caller.user, caller.team, caller.organisation, caller.priority) == ("ann", "red", "acme", "low")
    limits = LimitRules(config).of_client(caller, "fast")
    assert [(each.subject, each.kind.value, each.capacity) for each in limits] == [
        ("key:app", "rpm", 5),
        ("key:app", "concurrency", 2),
        ("team:red", "rpm", 30),
        ("plan:small/app", "tpm", 1000),
    ]
    budgets = BudgetRules(config).of_client(caller, "fast")
    assert [(each.budget.subject, each.budget.amount, each.budget.mode) for each in budgets] == [
        ("key:app", 1_500_000_000, "strict"),
        ("organisation:acme", 100_000_000_000, "learned"),
    ]
    assert "key:app" in {budget.subject for budget in BudgetRules(config).known([caller])}


async def test_a_changed_limit_holds_for_the_next_call_and_others_keep_what_is_remembered(desk):
    new, other = await desk.make("app", SETTINGS), await desk.make("other", SETTINGS)
    rules = LimitRules(Config.model_validate(CONFIG))
    before = desk.ring.find(other.digest)
    assert rules.of_client(desk.ring.find(new.digest), "fast")[0].capacity == 5
    await desk.store.change_key("app", lambda key: replace(key, limits={"rpm": 7}), 2.0)
    await desk.stored.refresh()
    assert rules.of_client(desk.ring.find(new.digest), "fast")[0].capacity == 7
    assert desk.ring.find(other.digest) is before


async def test_those_who_seed_budgets_are_told_before_a_key_is_taken(desk):
    told = []

    async def greet(holders):
        told.append(([each.name for each in holders], len(desk.ring.principals())))

    desk.stored.greeters.append(greet)
    await desk.make("app", SETTINGS)
    assert told == [(["app"], 0)]


async def test_a_key_whose_team_or_plan_is_gone_is_not_taken_until_it_is_back(desk):
    new = await desk.make("app", SETTINGS)
    for missing in ("plans", "teams"):
        rest = {name: part for name, part in CONFIG.items() if name not in (missing, "users")}
        desk.stored.configure(Directory(Config.model_validate({**rest, "users": {"ann": {}}})))
        assert desk.ring.find(new.digest) is None
    desk.stored.configure(Directory(Config.model_validate(CONFIG)))
    assert desk.ring.find(new.digest)


async def test_a_damaged_row_keeps_no_other_key_away(desk):
    bad, good = make_key("bad")[1], make_key("good")[1]
    await desk.store.create_key(replace(bad, limits={"rpm": -1}), 1.0)
    await desk.store.create_key(good, 1.0)
    await desk.stored.refresh()
    assert [each.name for each in desk.ring.principals()] == ["good"]


async def test_after_a_rotation_both_keys_are_taken_for_the_grace(desk):
    old = await desk.make("app", SETTINGS)
    _, new = make_key("app", SETTINGS)
    await desk.store.change_key(
        "app", lambda key: replace(key, digest=new.digest, previous=key.digest, previous_until=1060.0), 1000.0
    )
    await desk.stored.refresh()
    assert desk.ring.find(old.digest).name == desk.ring.find(new.digest).name == "app"
    desk.now = 1060.0
    assert desk.ring.find(old.digest) is None
    assert desk.ring.find(new.digest)
