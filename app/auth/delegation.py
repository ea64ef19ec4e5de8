"""A credential can only grant what it has: does a key that is to be made exceed who makes it? Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from app.auth.directory import PRIORITIES
from app.auth.principal import Principal
from app.auth.roles import ADMIN, grantable
from app.config.allowances import Budget, Limits, Plan
from app.config.identities import Allowed
from app.config.models import Config


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may at most."""

    principal: Principal
    limits: Mapping[str, int]
    """Kind → the tightest capacity of itself, its user and its plan; teams and organisations count by their names."""
    budgets: Mapping[str, int]
    """Period → the tightest amount of the same, in nano-dollars."""


def rights_of(principal: Principal, config: Config) -> Rights:
    """Say what a caller may, or what a key would."""
    stated = list(_stated(principal, config))
    return Rights(
        principal,
        _tightest(pair for limits, _ in stated for pair in limits.stated.items()),
        _tightest((budget.per, budget.amount) for _, budgets in stated for budget in budgets),
    )


def excess(creator: Rights, wanted: Rights) -> str | None:
    """Say what of a key its creator does not have itself; nothing if it has all of it."""
    if creator.principal.is_master:
        return None
    return next((what for what, exceeds in _CHECKS.items() if exceeds(creator, wanted)), None)


def _stated(principal: Principal, config: Config) -> Iterable[tuple[Limits, tuple[Budget, ...]]]:
    if principal.own:
        yield principal.own.limits, principal.own.budget
    configured = {key.name: key for key in config.auth.keys}
    found: tuple[Allowed | Plan | None, ...] = (
        None if principal.own else configured.get(principal.key or ""),
        config.users.get(principal.user or ""),
        config.plans.get(principal.plan or ""),
    )
    for level in found:
        if level:
            yield level.limits, level.budget


def _tightest(stated: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, amount in stated:
        found[name] = min(amount, found.get(name, amount))
    return found


def _other_team(creator: Rights, wanted: Rights) -> bool:
    team = creator.principal.team
    return team is not None and wanted.principal.team != team


def _other_organisation(creator: Rights, wanted: Rights) -> bool:
    organisation = creator.principal.organisation
    return organisation is not None and wanted.principal.organisation != organisation


def _more_models(creator: Rights, wanted: Rights) -> bool:
    levels = [each for each in (wanted.principal.models, *wanted.principal.within) if each]
    own = creator.principal
    return not all(
        any(_within(level, wide) for level in levels)
        for wide in (*((own.models,) if own.models else ()), *own.within)
    )


def _more_regions(creator: Rights, wanted: Rights) -> bool:
    levels = [set(each) for each in (wanted.principal.regions, *wanted.principal.regions_within) if each]
    own = creator.principal
    return not all(
        any(level <= {*wide} for level in levels) for wide in (own.regions, *own.regions_within) if wide
    )


def _more(own: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    return any(name not in wanted or wanted[name] > amount for name, amount in own.items())


def _longer(creator: Rights, wanted: Rights) -> bool:
    # A token ends soon, and what its bearer may does not end with it.
    ends = None if creator.principal.by_token else creator.principal.expires
    return ends is not None and (wanted.principal.expires is None or wanted.principal.expires > ends)


def _more_roles(creator: Rights, wanted: Rights) -> bool:
    return not wanted.principal.roles <= grantable(creator.principal.roles)


def _higher(creator: Rights, wanted: Rights) -> bool:
    rank = PRIORITIES.index
    higher = rank(wanted.principal.priority) > rank(creator.principal.priority)
    return higher and ADMIN not in creator.principal.roles


_CHECKS: Mapping[str, Callable[[Rights, Rights], bool]] = {
    "team": _other_team,
    "organisation": _other_organisation,
    "models": _more_models,
    "regions": _more_regions,
    "limits": lambda creator, wanted: _more(creator.limits, wanted.limits),
    "budget": lambda creator, wanted: _more(creator.budgets, wanted.budgets),
    "expires": _longer,
    "roles": _more_roles,
    "priority": _higher,
}


def _within(narrow: Sequence[str], wide: Sequence[str]) -> bool:
    return all(any(_covers(pattern, each) for pattern in wide) for each in narrow)


def _covers(wide: str, narrow: str) -> bool:
    """Whether one pattern fits all that another one fits. What is not plain to see counts as no."""
    if wide == narrow:
        return True
    if any(sign in narrow for sign in "*?["):
        # Where `*` is the only sign of the wide one, it takes the narrow one's signs, and all that they stand for.
        return not any(sign in wide for sign in "?[") and "[" not in narrow and fnmatchcase(narrow, wide)
    return fnmatchcase(narrow, wide)
