"""What becomes of calls when there is more work than can be done."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import model_validator

from app.config.amounts import Share
from app.config.scalars import Duration, Maybe, Size, Wait, refuse
from app.config.section import Section


class Overload(Section):
    """Who is refused first, with 503, when there is more to do than can be done."""

    low: Share = Decimal("0.7")
    """The share of the places that are taken from which on keys of priority `low` are refused."""
    normal: Share = Decimal("0.8")
    """The same for `normal`. `high` may take all; nothing is kept where no key has a higher priority."""
    largest_share: Share = Decimal("0.8")
    """The share that one key may hold while others call too; where several want many, each may hold less."""
    max_wait: Duration = 0.0
    """How long a call may wait for a place before it is refused; the newest goes first. `0s`: not at all."""
    max_lag: Wait = 0.1
    """How far the event loop may fall behind before only as many calls may begin as it keeps up with."""
    max_memory: Maybe[Size] = None
    """Memory that the process may hold: calls are refused from 95 % of it. Default: the container's limit, if any."""

    @model_validator(mode="after")
    def _low_goes_first(self) -> Self:
        if self.low > self.normal:
            refuse(f"low is more than normal, which is {self.normal}", f"write low: {self.normal} or less")
        return self
