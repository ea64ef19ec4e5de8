"""Who is calling: a value that only the verifier makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from app.config.allowances import Budget, Limits


@dataclass(frozen=True, slots=True, eq=False)
class Allowance:
    """What a key of the database may use for itself. Two are equal if they are the same one, which is quick to tell."""

    limits: Limits
    budget: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. There is no anonymous one."""

    name: str
    """What tells it from all others: the key's name, or `user:NAME` for the bearer of a token."""
    models: tuple[str, ...] = ()
    """Names and patterns (`gpt-*`, `openai/*`) it may use; empty means all."""
    expires: float | None = None
    """Unix seconds after which it is not valid any more."""
    plan: str | None = None
    priority: str = "normal"
    """`low`, `normal` or `high`: who goes first where calls wait."""
    is_master: bool = False
    """Whether it may administer the gateway."""
    regions: tuple[str, ...] = ()
    """Regions of providers that its calls may go to; empty means all."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    by_token: bool = False
    """Whether it came with a token, and so has no key."""
    user: str | None = None
    team: str | None = None
    organisation: str | None = None
    within: tuple[tuple[str, ...], ...] = ()
    """Patterns of each level above that names any: a model must fit all of these levels too."""
    regions_within: tuple[tuple[str, ...], ...] = ()
    """Regions of each level above that names any, likewise."""
    plan_of: str | None = None
    """Who has the plan's allowance for itself, if not this name alone: the user, over all keys and tokens."""
    roles: frozenset[str] = frozenset()
    """What it may do at the admin API, as its key or its token says; words of a token that are no roles give nothing."""
    own: Allowance | None = None
    """Of a key of the database that has any; what levels of the configuration have is found by their names."""

    @property
    def key(self) -> str | None:
        """The key's name, if it came with one."""
        return None if self.by_token else self.name

    def may_use(self, *names: str) -> bool:
        """Whether every level allows a model, under any of these names: public, bare or `provider/model`."""
        return (not self.models or _fits(names, self.models)) and all(
            _fits(names, patterns) for patterns in self.within
        )

    def may_reach(self, region: str | None) -> bool:
        """Whether every level allows providers of a region; None is of a provider that names none."""
        return all(region in regions for regions in (self.regions, *self.regions_within) if regions)


def _fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
