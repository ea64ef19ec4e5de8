"""Does everybody belong to somebody who is there? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from app.config.credentials import Finding
from app.config.identities import Allowed
from app.config.models import Config
from app.config.problems import Path, did_you_mean

SECTIONS: Mapping[str, str] = {
    "plan": "plans",
    "user": "users",
    "team": "teams",
    "organisation": "organisations",
    "default_team": "teams",
}
"""The section that a setting names an entry of."""


def findings(config: Config, names: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Say which names lead nowhere or contradict each other; `names` are those of each section."""
    regions = {each.region for each in config.providers.values() if each.region}
    for path, level in _levels(config):
        yield from _unknown(path, level, names)
        yield from _unknown_regions(path, level, regions)
    for index, issuer in enumerate(config.auth.jwt):
        yield from _unknown(("auth", "jwt", index), issuer, names)
    for index, key in enumerate(config.auth.keys):
        user = config.users.get(key.user or "")
        if user and user.team and key.team and user.team != key.team:
            said = f"the user `{key.user}` is in the team `{user.team}`, not in `{key.team}`"
            yield ("auth", "keys", index, "team"), said, "remove one of the two"


def _levels(config: Config) -> Iterator[tuple[Path, Allowed]]:
    yield from ((("auth", "keys", index), key) for index, key in enumerate(config.auth.keys))
    for section in ("users", "teams", "organisations"):
        yield from (((section, name), level) for name, level in getattr(config, section).items())


def _unknown_regions(path: Path, level: Allowed, known: Collection[str]) -> Iterator[Finding]:
    for position, region in enumerate(level.regions):
        if region not in known:
            hint = did_you_mean(region, known) or "set the `region` of a provider to it"
            yield (*path, "regions", position), f"no provider is in the region `{region}`", hint


def _unknown(path: Path, holder: object, names: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    for setting, section in SECTIONS.items():
        named = getattr(holder, setting, None)
        if named is not None and named not in names[section]:
            hint = did_you_mean(named, names[section]) or f"name it under `{section}`"
            yield (*path, setting), f"there is no {section[:-1]} `{named}`", hint
