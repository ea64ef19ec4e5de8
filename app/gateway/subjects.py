"""Whose limits and budgets hold for a caller. Pure.

Subjects: `key:NAME`, `user:NAME`, `team:NAME`, `organisation:NAME`, each shared by all below it;
`plan:PLAN/KEY` and `plan:PLAN/user:NAME` (each key, or each user, of a plan has the plan's allowance for
itself); `model:NAME`, `group:NAME`, `provider:NAME`, `credential:PROVIDER/POSITION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from app.auth.principal import Allowance, Principal
from app.config.identities import Allowed
from app.config.models import Config

PLAN = "plan:"
REMEMBERED = 10_000
"""Answers kept for callers and models: names come from clients, so there is a bound."""


class Place(NamedTuple):
    """All that decides which limits and budgets hold for a caller; equal for equal ones."""

    key: str | None
    user: str | None
    team: str | None
    organisation: str | None
    plan: str | None
    plan_of: str
    own: Allowance | None = None

    @classmethod
    def of(cls, principal: Principal) -> Place:
        """Give the place of a caller."""
        return cls(
            principal.key,
            principal.user,
            principal.team,
            principal.organisation,
            principal.plan,
            principal.plan_of or principal.name,
            principal.own,
        )

    @property
    def itself(self) -> str:
        """The subject of the key alone."""
        return f"key:{self.key}"

    @property
    def levels(self) -> list[str]:
        """The subjects of the caller and of all above it."""
        named = {"key": self.key, "user": self.user, "team": self.team, "organisation": self.organisation}
        return [f"{kind}:{name}" for kind, name in named.items() if name is not None]


class Places:
    """Gives the places of callers, again for the same ones."""

    def __init__(self) -> None:
        # By what it is and not by what it is equal to, which would cost as much as to find out anew.
        self._known: dict[int, tuple[Principal, Place]] = {}

    def of(self, principal: Principal) -> Place:
        """Give the place of a caller."""
        known = self._known.get(id(principal))
        if known is not None and known[0] is principal:
            return known[1]
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        place = Place.of(principal)
        self._known[id(principal)] = principal, place
        return place


def levels(config: Config) -> Iterator[tuple[str, Allowed]]:
    """Give every level of the configuration by its subject."""
    yield from ((f"key:{key.name}", key) for key in config.auth.keys)
    yield from ((f"user:{name}", user) for name, user in config.users.items())
    yield from ((f"team:{name}", team) for name, team in config.teams.items())
    yield from ((f"organisation:{name}", each) for name, each in config.organisations.items())


def plan_subject(plan: str, holder: str) -> str:
    """Name what one holder has of a plan."""
    return f"{PLAN}{plan}/{holder}"


def holder_of(subject: str) -> tuple[str, str]:
    """Give the plan and its holder of such a name. Names of plans hold no `/`."""
    plan, _, holder = subject.removeprefix(PLAN).partition("/")
    return plan, holder
