"""`switchgear organisations|teams|users|plans`: what is configured, in the shape of the admin API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pydantic import BaseModel

from app.api.levels_shown import organisation_shown, plan_shown, team_shown, user_shown
from app.cli.entries import print_entries, print_entry
from app.cli.options import fail
from app.config.loader import Loaded
from app.config.models import Config
from app.config.problems import did_you_mean

_SHOWN: Mapping[str, Callable[[Config], Iterable[BaseModel]]] = {
    "organisations": lambda config: (organisation_shown(*each) for each in config.organisations.items()),
    "teams": lambda config: (team_shown(*each) for each in config.teams.items()),
    "users": lambda config: (user_shown(*each) for each in config.users.items()),
    "plans": lambda config: (plan_shown(*each) for each in config.plans.items()),
}
_PARENTS = {"teams": ("organisation",), "users": ("team", "disabled")}
_ALLOWED = ("models", "plan", "priority")
_OWN = {**{kind: (*_PARENTS.get(kind, ()), *_ALLOWED) for kind in _SHOWN}, "plans": ()}
"""The columns of each kind, between the name and what it may use."""


def show_all(loaded: Loaded, kind: str, *, as_json: bool) -> None:
    """List all of a kind, in the order of their names."""
    entries = sorted((each.model_dump() for each in _SHOWN[kind](loaded.config)), key=lambda e: e["name"])
    names = ("name", *_OWN[kind], "limits", "budget")
    none = f"There are no {kind}: they stand in the configuration, under `{kind}`."
    print_entries(entries, {name: name for name in names}, none, as_json=as_json)


def show_one(loaded: Loaded, kind: str, name: str, *, as_json: bool) -> None:
    """Show all of one; ends with 1 if there is none of that name."""
    found = {each["name"]: each for each in (level.model_dump() for level in _SHOWN[kind](loaded.config))}
    if name not in found:
        hint = did_you_mean(name, found) or f"`switchgear {kind} list` lists them"
        fail(f"there is none named `{name}` under `{kind}`; {hint}")
    print_entry(found[name], as_json=as_json)
