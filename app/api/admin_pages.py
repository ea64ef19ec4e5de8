"""What the admin API's lists have in common: their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

PAGE = 200
"""The most that one page holds."""
LONGEST_ID = 2**31 - 1

Limit = Annotated[int, Query(ge=1, le=PAGE)]
After = Annotated[int, Query(ge=0, le=LONGEST_ID, description="The `next` of the page before.")]
Word = Annotated[str, Query(max_length=300, pattern=r"^[^\x00]*$")]
"""A text to look for. No database takes a zero byte in one."""

Entry = TypeVar("Entry")


def page_after(named: Sequence[tuple[str, Entry]], after: str, limit: int) -> tuple[list[Entry], str | None]:
    """Give the entries whose names come after one, in their order, and the last one's name if there are more."""
    rest = sorted((each for each in named if each[0] > after), key=lambda each: each[0])
    page = rest[:limit]
    return [entry for _, entry in page], page[-1][0] if len(rest) > limit else None
