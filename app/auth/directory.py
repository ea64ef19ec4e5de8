"""Who belongs where: keys and bearers of tokens as principals, with what every level above them allows.

Limits and budgets are not copied here: each level's are its own, shared by all below it, and found by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from app.auth.principal import Allowance, Principal
from app.config.identities import Allowed, Key, KeySettings, Organisation, Team, User
from app.config.models import Config
from app.errors import PermissionDenied, Unauthorized

PRIORITIES = ("low", "normal", "high")
"""In their order."""


class Bearer(NamedTuple):
    """What a verified token says of who holds it."""

    user: str
    teams: Sequence[str] | None = None
    """None: its issuer does not tell."""
    organisations: Sequence[str] | None = None
    models: Sequence[str] | None = None
    roles: Sequence[str] = ()
    expires: float | None = None
    default_team: str | None = None


class Directory:
    """The organisations, teams and users of a configuration."""

    def __init__(self, config: Config) -> None:
        self._organisations = config.organisations
        self._teams = config.teams
        self._users = config.users
        self._plans = config.plans

    def of_key(self, key: Key) -> Principal | None:
        """Give the principal of a configured key; nothing if its user is disabled."""
        return self._of_settings(key.name, key)

    def of_stored(self, name: str, settings: KeySettings) -> Principal | None:
        """Give the principal of a key of the database; nothing if its user is disabled.

        Nothing either where the configuration does not have its user, team or plan any more: what they
        allow is not known then, and to go on without would allow all.
        """
        if self.missing(settings):
            return None
        found = self._of_settings(name, settings)
        if found is None or not (settings.limits.stated or settings.budget):
            return found
        return replace(found, own=Allowance(settings.limits, settings.budget))

    def missing(self, settings: KeySettings) -> str | None:
        """Say which name of a key's settings leads nowhere, such as ``team `a` ``."""
        named = (
            ("user", settings.user, self._users),
            ("team", settings.team, self._teams),
            ("plan", settings.plan, self._plans),
        )
        return next((f"{kind} `{name}`" for kind, name, known in named if name and name not in known), None)

    def team_of(self, settings: KeySettings) -> str | None:
        """Give the team of a key: its own, or its user's."""
        user = self._users.get(settings.user) if settings.user else None
        return settings.team or (user.team if user else None)

    def _of_settings(self, name: str, key: KeySettings) -> Principal | None:
        user = self._users.get(key.user) if key.user else None
        if user and user.disabled:
            return None
        team = self.team_of(key)
        place = _Place(key.user, team, self._organisation_of(team))
        expires = key.expires.timestamp() if key.expires else None
        own = Principal(name, key.models, expires, key.plan, regions=key.regions, roles=frozenset(key.roles))
        return self._combined(own, key, place)

    def of_bearer(self, bearer: Bearer) -> Principal:
        """Give the principal of a token's bearer.

        Raises `Unauthorized` for a disabled user, `PermissionDenied` where claims and configuration disagree.
        """
        user = self._users.get(bearer.user)
        if user and user.disabled:
            raise Unauthorized
        team = self._team(bearer, user)
        place = _Place(bearer.user, team, self._organisation(bearer, team))
        own = Principal(
            f"user:{bearer.user}",
            expires=bearer.expires,
            by_token=True,
            roles=frozenset(bearer.roles),
            # An empty list of patterns allows nothing, unlike one in the configuration.
            within=() if bearer.models is None else (tuple(bearer.models),),
        )
        return self._combined(own, None, place)

    def _combined(self, own: Principal, key: KeySettings | None, place: _Place) -> Principal:
        user = self._users.get(place.user) if place.user else None
        above = [level for level in (user, self._team_of(place), self._org_of(place)) if level]
        levels: list[Allowed] = [key, *above] if key else [*above]
        inherited = next((level.plan for level in above if level.plan), None)
        return Principal(
            own.name,
            own.models,
            own.expires,
            own.plan or inherited,
            _lowest([level.priority for level in levels if level.priority]),
            regions=own.regions,
            regions_within=tuple(level.regions for level in above if level.regions),
            metadata={name: text for level in reversed(levels) for name, text in level.metadata.items()},
            by_token=own.by_token,
            user=place.user,
            team=place.team,
            organisation=place.organisation,
            within=(*own.within, *(level.models for level in above if level.models)),
            plan_of=f"user:{place.user}" if place.user and not own.plan else None,
            roles=own.roles,
        )

    def _team(self, bearer: Bearer, user: User | None) -> str | None:
        known = [name for name in bearer.teams or () if name in self._teams]
        if user and user.team:
            if known and user.team not in known:
                raise PermissionDenied(
                    f"The token says that its user is in the team {_quoted(known[0])}; here it is in another one."
                )
            return user.team
        if known:
            return known[0]
        if bearer.teams:
            raise PermissionDenied(
                f"There is no team {_quoted(bearer.teams[0])} here, which the token names."
            )
        if bearer.teams is not None and bearer.default_team is None:
            raise PermissionDenied("The token names no team, and its issuer's tokens need one here.")
        return bearer.default_team

    def _organisation(self, bearer: Bearer, team: str | None) -> str | None:
        of_team = self._organisation_of(team)
        if bearer.organisations is None:
            return of_team
        known = [name for name in bearer.organisations if name in self._organisations]
        if of_team is not None:
            if bearer.organisations and of_team not in known:
                raise PermissionDenied("The token's organisation is not the one that its team is part of.")
            return of_team
        if not known:
            raise PermissionDenied("The token names no organisation that is known here.")
        return known[0]

    def _organisation_of(self, team: str | None) -> str | None:
        found = self._teams.get(team) if team else None
        return found.organisation if found else None

    def _team_of(self, place: _Place) -> Team | None:
        return self._teams.get(place.team) if place.team else None

    def _org_of(self, place: _Place) -> Organisation | None:
        return self._organisations.get(place.organisation) if place.organisation else None


class _Place(NamedTuple):
    user: str | None
    team: str | None
    organisation: str | None


def _lowest(stated: Sequence[str]) -> str:
    return min(stated, key=PRIORITIES.index, default="normal")


def _quoted(name: str) -> str:
    shown = "".join(each for each in name[:64] if each.isprintable() and each != "`")
    return f"`{shown}`"
