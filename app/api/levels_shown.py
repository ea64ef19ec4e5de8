"""What is shown of models, plans, organisations, teams and users, as they are configured."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from app.config.allowances import Budget, Plan
from app.config.identities import Allowed, Organisation, Team, User
from app.config.public_models import ModelSettings
from providers.types import Json


class BudgetShown(BaseModel):
    """A budget, as the configuration writes one."""

    amount: str
    """Dollars."""
    per: str
    timezone: str
    mode: str
    notify: list[str]
    fit_max_tokens: bool


class LimitedShown(BaseModel):
    """What has limits and budgets."""

    name: str
    limits: dict[str, int]
    budget: list[BudgetShown]


class ModelShown(LimitedShown):
    """A public model."""

    targets: list[str]
    """What stands behind it: provider/model, or another public model."""
    balance: str


class PlanShown(LimitedShown):
    """A plan, which each key or user that has it has for itself."""


class OrganisationShown(LimitedShown):
    """An organisation, and what it allows."""

    models: list[str]
    """Empty: all."""
    regions: list[str]
    plan: str | None
    priority: str | None
    metadata: dict[str, str]


class TeamShown(OrganisationShown):
    """A team, and what it allows."""

    organisation: str | None


class UserShown(OrganisationShown):
    """A user, and what it may."""

    team: str | None
    disabled: bool


def budgets_shown(budgets: Sequence[Budget]) -> list[BudgetShown]:
    """Show the budgets of a level."""
    return [BudgetShown(**budget.model_dump(mode="json")) for budget in budgets]


def model_shown(name: str, model: ModelSettings) -> ModelShown:
    """Show a public model."""
    return ModelShown(**_limited(name, model), targets=list(model.names), balance=model.balance)


def plan_shown(name: str, plan: Plan) -> PlanShown:
    """Show a plan."""
    return PlanShown(**_limited(name, plan))


def organisation_shown(name: str, organisation: Organisation) -> OrganisationShown:
    """Show an organisation."""
    return OrganisationShown(**_allowed(name, organisation))


def team_shown(name: str, team: Team) -> TeamShown:
    """Show a team."""
    return TeamShown(**_allowed(name, team), organisation=team.organisation)


def user_shown(name: str, user: User) -> UserShown:
    """Show a user that stands in the configuration."""
    return UserShown(**_allowed(name, user), team=user.team, disabled=user.disabled)


def _limited(name: str, level: Allowed | Plan | ModelSettings) -> dict[str, Json]:
    return {"name": name, "limits": dict(level.limits.stated), "budget": budgets_shown(level.budget)}


def _allowed(name: str, level: Allowed) -> dict[str, Json]:
    return {
        **_limited(name, level),
        "models": list(level.models),
        "regions": list(level.regions),
        "plan": level.plan,
        "priority": level.priority,
        "metadata": dict(level.metadata),
    }
