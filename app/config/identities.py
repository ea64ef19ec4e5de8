"""Who there is: keys, users, teams and organisations, each with what it is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator

from app.config.allowances import Budgets, Limiting, Limits
from app.config.scalars import Flag, Listing, Maybe, Moment, SecretText, Table, Text, Word, refuse
from app.config.section import EMPTY, Section

GROUP_NAME_LIMIT = 128
USER_NAME_LIMIT = 200
"""Characters. Each name has to fit its column of the ledger, and the subject of a budget."""


def _told(limit: int) -> Callable[[str], str]:
    """Give the check of a name that logs and the ledger tell."""

    def check(name: str) -> str:
        if len(name) > limit or not name.isprintable():
            refuse("cannot be a name", f"use 1 to {limit} printable characters")
        return name

    return check


GroupName = Annotated[Text, AfterValidator(_told(GROUP_NAME_LIMIT))]
UserName = Annotated[Text, AfterValidator(_told(USER_NAME_LIMIT))]
Role = Literal["admin", "operator", "viewer", "team_admin"]


class Allowed(Section):
    """What a level allows. All levels above a caller count too, and the tightest wins."""

    models: Listing[Text] = ()
    """Patterns of the models that may be used, such as `openai/*`; an empty list means all."""
    regions: Listing[Text] = ()
    """Regions of providers that calls may go to, such as `eu`; an empty list means all."""
    plan: Text | None = None
    """The plan whose limits and budgets hold besides these, unless one is named nearer to the caller."""
    limits: Limiting = Limits()
    """How fast all its calls together may come: as under `plans`."""
    budget: Budgets = ()
    """How much all its calls together may spend: as under `plans`."""
    priority: Maybe[Literal["low", "normal", "high"]] = None
    """Who goes first where calls wait, and is refused last where there is too much to do: the lowest of all levels. Default: normal."""
    metadata: Table[Word] = EMPTY
    """Texts of your own to keep with it."""


class Organisation(Allowed):
    """The widest circle that something is allowed to."""


class Team(Allowed):
    """People and services that share an allowance."""

    organisation: Maybe[Text] = None
    """The organisation that it is part of."""


class User(Allowed):
    """A person or a service, whatever keys and tokens it calls with."""

    team: Maybe[Text] = None
    """The team that it is in."""
    disabled: Flag = False
    """Whether none of its keys and tokens is taken."""


class KeySettings(Allowed):
    """What a key carries, wherever it stands."""

    expires: Maybe[Moment] = None
    """When the key stops working: an RFC 3339 date (its first moment in UTC) or date-time."""
    user: Maybe[Text] = None
    """The user that it belongs to, one of `users`."""
    team: Maybe[Text] = None
    """The team that it belongs to, one of `teams`. Default: the user's."""
    roles: Listing[Role] = ()
    """What it may do at the admin API: `admin`, `operator`, `viewer`, or `team_admin` for the keys of its team. Default: nothing."""


class Key(KeySettings):
    """An API key of ours that stands in the configuration."""

    name: Text
    """What logs and reports call this key. Unique."""
    key: SecretText
    """The key that the client sends, of 16 characters at least."""
