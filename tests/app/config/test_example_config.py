"""`config.yaml` of the repository shows every setting of every kind of section once, with its default and its documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from app.config.allowances import Budget, Limits, Price
from app.config.identities import Key, Organisation, Team, User
from app.config.issuers import Issuer
from app.config.loader import load
from app.config.models import Config, ProviderSettings
from app.config.public_models import HedgeSettings, Mirror, ModelSettings
from app.config.section import Section
from app.config.shape import below, every_key, is_section, shape_at

FILE = Path(__file__).parents[3] / "config.yaml"
LINES = FILE.read_text(encoding="utf-8").split("\n")
SETTINGS = [line.removeprefix("# ") for line in LINES if line.startswith("# ")]
UNCOMMENTED = "\n".join(SETTINGS)

TABLES = ("organisations", "teams", "users", "plans", "providers", "models", "limit_groups")
ENVIRON = {"CI_KEY": "sk-of-the-test-0123456789", "ACME_API_KEY": "acme-key-of-the-test"}


def paths(node: yaml.Node, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], int]]:
    """Give every setting of a document with its line; `*` where the user's own key or an item stands."""
    if isinstance(node, yaml.SequenceNode):
        return [
            found
            for item in node.value
            if isinstance(item, yaml.MappingNode)
            for found in paths(item, (*path, "*"))
        ]
    if not isinstance(node, yaml.MappingNode):
        return []
    found = []
    for key, value in node.value:
        name = key.value if is_section(shape_at(path)) else "*"
        if name != "*":
            found.append(((*path, name), key.start_mark.line))
        found += paths(value, (*path, name))
    return found


SHOWN = paths(yaml.compose(UNCOMMENTED, Loader=yaml.BaseLoader))


def test_as_it_stands_it_is_an_empty_configuration(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(FILE.parent)
    assert all(line.startswith("#") or not line for line in LINES)
    assert load([], {}, {}).config == Config()


def test_uncommented_it_loads(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(UNCOMMENTED, encoding="utf-8")
    loaded = load([file], ENVIRON, {})
    assert [provider.name for provider in loaded.providers] == ["acme"]


def kinds(found: Iterable[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Tell settings by their section, which may stand in several places: limits, budgets."""
    return [(shape_at(path[:-1]).__name__, path[-1]) for path in found]


def test_it_shows_every_setting_exactly_once() -> None:
    settings = {path for path, _shape in every_key() if path[-1] != "*"}
    assert sorted(kinds(path for path, _line in SHOWN)) == sorted(set(kinds(settings)))


def test_what_it_shows_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(UNCOMMENTED, encoding="utf-8")
    shown = load([file], ENVIRON, {}).config
    default = Config()
    examples = {name: getattr(shown, name) for name in TABLES}
    auth = default.auth.model_copy(update={"keys": shown.auth.keys, "jwt": shown.auth.jwt})
    assert shown == default.model_copy(update={**examples, "auth": auth})
    (key,) = shown.auth.keys
    assert key == Key(name=key.name, key=key.key)
    (issuer,) = shown.auth.jwt
    assert issuer == Issuer(issuer=issuer.issuer, audience=issuer.audience, jwks_url=issuer.jwks_url)
    assert [*shown.organisations.values()] == [Organisation()]
    assert [*shown.teams.values()] == [Team()]
    assert [*shown.users.values()] == [User()]
    (plan,) = shown.plans.values()
    (budget,) = plan.budget
    assert budget == Budget(amount=budget.amount, per=budget.per)
    (acme,) = shown.providers.values()
    assert acme == ProviderSettings(
        keys=acme.keys, base_url=acme.base_url, prices=acme.prices, facts=acme.facts
    )
    (credential,) = acme.keys
    assert credential.limits == Limits()
    smart = shown.models["smart"]
    assert smart.mirror is not None
    assert smart.mirror == Mirror(target=smart.mirror.target)
    assert smart == ModelSettings(targets=smart.targets, mirror=smart.mirror, hedge=HedgeSettings())


def test_all_limits_and_prices_have_an_example(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(UNCOMMENTED, encoding="utf-8")
    shown = load([file], ENVIRON, {})
    (plan,), (group,) = shown.config.plans.values(), shown.config.limit_groups.values()
    (acme,) = shown.config.providers.values()
    (price,) = acme.prices.values()
    assert set(plan.limits.stated) == set(group.stated) == set(Limits.model_fields) - {"on_state_loss"}
    assert set(price.stated) == set(Price.model_fields)
    assert shown.warnings == ()


@pytest.mark.parametrize(("path", "line"), SHOWN, ids=[".".join(path) for path, _line in SHOWN])
def test_above_every_setting_stands_its_documentation(path: tuple[str, ...], line: int) -> None:
    positions = [index for index, text in enumerate(LINES) if text.startswith("# ")]
    above = LINES[positions[line] - 1]
    section = shape_at(path[:-1])
    assert issubclass(section, Section)
    assert above.startswith("## ")
    assert above.removeprefix("## ").strip() == section.model_fields[path[-1]].description
    assert below(section, path[-1]) is not None
