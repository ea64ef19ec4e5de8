"""What was used, what budgets have left, and who changed what."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from app.api.admin_pages import LONGEST_ID, Limit, Word, page_after
from app.api.admin_route import admitted, needs
from app.api.budgets_shown import BudgetStanding, standing_shown
from app.auth.keyring import KeyRing
from app.auth.roles import Permission
from app.config.scalars import Moment
from app.errors import BadRequest
from app.gateway.rules import BudgetRules
from app.store.audit import AuditStore
from app.store.call_sums import TAG, CallFilter, CallSum
from app.store.calls import CallStore
from app.telemetry.clock import Clock
from app.usage.budgeting import Budgets

DAY = 86_400.0
LONGEST = 366 * DAY
"""Seconds of usage that one request may ask for."""
LONGEST_IN_ROWS = 31 * DAY
"""The same where roll-ups cannot tell, and every call is looked at."""
IN_ROWS = frozenset({"user", "team", "organisation", "upstream_model"})
LATEST = 32_503_680_000.0
"""Unix seconds: the year 3000."""
MOST_DIMENSIONS = 4
MOST_GROUPS = 1000


class UsageShown(BaseModel):
    """The calls of one group, added up."""

    group: dict[str, str | None]
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: str | None
    """Dollars; null as soon as the cost of one call is unknown."""
    known_cost: str
    unpriced_calls: int
    latency_ms: dict[str, float] | None
    """`p50`, `p95` and `p99` of the calls that succeeded."""
    ttft_ms: dict[str, float] | None


class UsageList(BaseModel):
    """What was used from `since` to `until`, in Unix seconds."""

    object: str = "list"
    since: float
    until: float
    data: list[UsageShown]


class BudgetPage(BaseModel):
    """Budgets in the order of their subjects."""

    object: str = "list"
    data: list[BudgetStanding]
    next: str | None


class AuditShown(BaseModel):
    """A change that was made."""

    id: int
    at: float
    actor: str
    """`key:NAME`, `user:NAME`, `master`, or `cli:LOGIN`."""
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None


class AuditPage(BaseModel):
    """Changes, the newest first."""

    object: str = "list"
    data: list[AuditShown]
    next: int | None
    """What `before` takes for the next page; null on the last one."""


@dataclass(frozen=True, slots=True)
class AccountRooms:
    """What the routes need."""

    calls: CallStore
    budgets: Budgets
    ring: KeyRing
    audit: AuditStore
    clock: Clock


def add_accounts(router: APIRouter, rooms: AccountRooms) -> None:
    """Add the routes."""

    @router.get("/usage", openapi_extra=needs(Permission.READ))
    async def sum_usage(
        where: Annotated[CallFilter, Depends(_asked(rooms.clock.wall))], by: Word = "model"
    ) -> UsageList:
        groups = _dimensions(by, where)
        try:
            sums = await rooms.calls.sum_calls(groups, where, MOST_GROUPS)
        except ValueError as error:
            raise BadRequest(f"{error}.", param="by") from None
        assert where.since is not None
        assert where.until is not None
        return UsageList(since=where.since, until=where.until, data=[_usage(each) for each in sums])

    @router.get("/budgets", openapi_extra=needs(Permission.READ))
    async def list_budgets(
        request: Request, limit: Limit = 50, after: Word = "", subject: Word = ""
    ) -> BudgetPage:
        known = BudgetRules(admitted(request).config).known(rooms.ring.principals())
        named = {f"{each.subject} {each.period.kind}": each for each in known}
        wanted = [(name, each) for name, each in named.items() if subject in ("", each.subject)]
        page, more = page_after(wanted, after, limit)
        now = rooms.clock.wall()
        return BudgetPage(
            data=[standing_shown(each, await rooms.budgets.standing(each, now)) for each in page], next=more
        )

    @router.get("/audit", openapi_extra=needs(Permission.READ))
    async def list_changes(
        limit: Limit = 50,
        before: Annotated[int | None, Query(ge=1, le=LONGEST_ID)] = None,
        target: Word | None = None,
    ) -> AuditPage:
        rows = await rooms.audit.read(limit + 1, before=before, target=target)
        shown = [
            AuditShown(**{name: getattr(row, name) for name in AuditShown.model_fields})
            for row in rows[:limit]
        ]
        return AuditPage(data=shown, next=shown[-1].id if len(rows) > limit else None)


def _asked(now: Callable[[], float]) -> Callable[..., CallFilter]:
    def asked(
        since: Moment | None = None,
        until: Moment | None = None,
        key: Word | None = None,
        model: Word | None = None,
        provider: Word | None = None,
        plan: Word | None = None,
    ) -> CallFilter:
        end = until.timestamp() if isinstance(until, datetime) else now()
        begin = since.timestamp() if isinstance(since, datetime) else end - DAY
        if not 0 <= begin < end <= LATEST:
            raise BadRequest("`since` must be before `until`, and both from 1970 on.", param="since")
        return CallFilter(begin, end, key, model, provider, plan)

    return asked


def _dimensions(by: str, where: CallFilter) -> list[str]:
    groups = list(dict.fromkeys(part.strip() for part in by.split(",")))
    if len(groups) > MOST_DIMENSIONS:
        raise BadRequest(f"`by` takes {MOST_DIMENSIONS} names at most.", param="by")
    in_rows = any(name in IN_ROWS or name.startswith(TAG) for name in groups)
    longest = LONGEST_IN_ROWS if in_rows else LONGEST
    if (where.until or 0) - (where.since or 0) > longest:
        raise BadRequest(f"Ask for {longest / DAY:.0f} days at most by {', '.join(groups)}.", param="since")
    return groups


def _usage(line: CallSum) -> UsageShown:
    return UsageShown(
        group=dict(line.group),
        calls=line.calls,
        errors=line.errors,
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        cached_tokens=line.cached_tokens,
        cost=line.cost,
        known_cost=line.known_cost,
        unpriced_calls=line.unpriced,
        latency_ms=line.latency and line.latency._asdict(),
        ttft_ms=line.ttft and line.ttft._asdict(),
    )
