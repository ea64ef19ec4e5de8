"""What the admin API's lists have in common: their bounds, and what budgets look like in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import BaseModel

from app.config.allowances import Budget

PAGE = 200
"""The most that one page holds."""
LONGEST_ID = 2**31 - 1

Limit = Annotated[int, Query(ge=1, le=PAGE)]
After = Annotated[int, Query(ge=0, le=LONGEST_ID, description="The `next` of the page before.")]
Word = Annotated[str, Query(max_length=300, pattern=r"^[^\x00]*$")]
"""A text to look for. No database takes a zero byte in one."""

Entry = TypeVar("Entry")


class BudgetShown(BaseModel):
    """A budget, as the configuration writes one."""

    amount: str
    """Dollars."""
    per: str
    timezone: str
    mode: str
    notify: list[str]
    fit_max_tokens: bool


def budgets_shown(budgets: Sequence[Budget]) -> list[BudgetShown]:
    """Show the budgets of a level."""
    return [BudgetShown(**budget.model_dump(mode="json")) for budget in budgets]


def page_after(named: Sequence[tuple[str, Entry]], after: str, limit: int) -> tuple[list[Entry], str | None]:
    """Give the entries whose names come after one, in their order, and the last one's name if there are more."""
    rest = sorted((each for each in named if each[0] > after), key=lambda each: each[0])
    page = rest[:limit]
    return [entry for _, entry in page], page[-1][0] if len(rest) > limit else None
