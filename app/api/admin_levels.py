"""The routes of models, plans, teams, users and organisations, as they are configured."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.api.admin_pages import Limit, Word, page_after
from app.api.admin_route import admitted, needs
from app.api.levels_shown import (
    LimitedShown,
    ModelShown,
    OrganisationShown,
    PlanShown,
    TeamShown,
    UserShown,
    model_shown,
    organisation_shown,
    plan_shown,
    team_shown,
    user_shown,
)
from app.auth.roles import Permission

Shown = TypeVar("Shown", bound=LimitedShown)
Settings = TypeVar("Settings")


class ConfiguredPage(BaseModel, Generic[Shown]):
    """What is configured, in the order of the names."""

    object: str = "list"
    data: list[Shown]
    next: str | None
    """What `after` takes for the next page; null on the last one."""


def add_levels(router: APIRouter) -> None:
    """Add the routes."""
    reads = needs(Permission.READ)

    @router.get("/models", openapi_extra=reads)
    async def list_models(
        request: Request, limit: Limit = 50, after: Word = ""
    ) -> ConfiguredPage[ModelShown]:
        return _page(admitted(request).config.models, model_shown, after, limit)

    @router.get("/plans", openapi_extra=reads)
    async def list_plans(request: Request, limit: Limit = 50, after: Word = "") -> ConfiguredPage[PlanShown]:
        return _page(admitted(request).config.plans, plan_shown, after, limit)

    @router.get("/organisations", openapi_extra=reads)
    async def list_organisations(
        request: Request, limit: Limit = 50, after: Word = ""
    ) -> ConfiguredPage[OrganisationShown]:
        return _page(admitted(request).config.organisations, organisation_shown, after, limit)

    @router.get("/teams", openapi_extra=reads)
    async def list_teams(request: Request, limit: Limit = 50, after: Word = "") -> ConfiguredPage[TeamShown]:
        return _page(admitted(request).config.teams, team_shown, after, limit)

    @router.get("/users", openapi_extra=reads)
    async def list_users(request: Request, limit: Limit = 50, after: Word = "") -> ConfiguredPage[UserShown]:
        return _page(admitted(request).config.users, user_shown, after, limit)


def _page(
    found: Mapping[str, Settings], shown: Callable[[str, Settings], Shown], after: str, limit: int
) -> ConfiguredPage[Shown]:
    page, more = page_after([(name, (name, each)) for name, each in found.items()], after, limit)
    return ConfiguredPage(data=[shown(name, each) for name, each in page], next=more)
