"""Models, plans, teams, users and organisations, as they are configured."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Mapping
from typing import Generic, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.api.admin_pages import BudgetShown, Limit, Word, budgets_shown, page_after
from app.api.admin_route import admitted, needs
from app.auth.roles import Permission
from app.config.allowances import Plan
from app.config.identities import Allowed, Organisation, Team, User
from app.config.public_models import ModelSettings
from providers.types import Json

Shown = TypeVar("Shown", bound="LimitedShown")


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


class ConfiguredPage(BaseModel, Generic[Shown]):
    """What is configured, in the order of the names."""

    object: str = "list"
    data: list[Shown]
    next: str | None
    """What `after` takes for the next page; null on the last one."""


def add_levels(router: APIRouter) -> None:
    """Add the routes."""
    _add_limited(router)
    _add_members(router)


def _add_limited(router: APIRouter) -> None:
    @router.get("/models", openapi_extra=needs(Permission.READ))
    async def list_models(
        request: Request, limit: Limit = 50, after: Word = ""
    ) -> ConfiguredPage[ModelShown]:
        models = admitted(request).config.models
        return _page(ModelShown, {name: _model(each) for name, each in models.items()}, after, limit)

    @router.get("/plans", openapi_extra=needs(Permission.READ))
    async def list_plans(request: Request, limit: Limit = 50, after: Word = "") -> ConfiguredPage[PlanShown]:
        plans = admitted(request).config.plans
        return _page(PlanShown, {name: _limited(each) for name, each in plans.items()}, after, limit)


def _add_members(router: APIRouter) -> None:
    @router.get("/organisations", openapi_extra=needs(Permission.READ))
    async def list_organisations(
        request: Request, limit: Limit = 50, after: Word = ""
    ) -> ConfiguredPage[OrganisationShown]:
        found: Mapping[str, Organisation] = admitted(request).config.organisations
        return _page(OrganisationShown, {name: _allowed(each) for name, each in found.items()}, after, limit)

    @router.get("/teams", openapi_extra=needs(Permission.READ))
    async def list_teams(request: Request, limit: Limit = 50, after: Word = "") -> ConfiguredPage[TeamShown]:
        found: Mapping[str, Team] = admitted(request).config.teams
        shown = {name: {**_allowed(each), "organisation": each.organisation} for name, each in found.items()}
        return _page(TeamShown, shown, after, limit)

    @router.get("/users", openapi_extra=needs(Permission.READ))
    async def list_users(request: Request, limit: Limit = 50, after: Word = "") -> ConfiguredPage[UserShown]:
        found: Mapping[str, User] = admitted(request).config.users
        shown = {
            name: {**_allowed(each), "team": each.team, "disabled": each.disabled}
            for name, each in found.items()
        }
        return _page(UserShown, shown, after, limit)


def _page(
    kind: type[Shown], found: Mapping[str, Mapping[str, Json]], after: str, limit: int
) -> ConfiguredPage[Shown]:
    named = [(name, (name, fields)) for name, fields in found.items()]
    page, more = page_after(named, after, limit)
    return ConfiguredPage[Shown](data=[kind(name=name, **fields) for name, fields in page], next=more)


def _limited(level: Allowed | Plan | ModelSettings) -> dict[str, Json]:
    return {"limits": dict(level.limits.stated), "budget": budgets_shown(level.budget)}


def _model(model: ModelSettings) -> dict[str, Json]:
    return {**_limited(model), "targets": list(model.names), "balance": model.balance}


def _allowed(level: Allowed) -> dict[str, Json]:
    return {
        **_limited(level),
        "models": list(level.models),
        "regions": list(level.regions),
        "plan": level.plan,
        "priority": level.priority,
        "metadata": dict(level.metadata),
    }
