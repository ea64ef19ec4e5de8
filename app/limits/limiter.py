"""What guards and gates ask of limits, wherever these are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.config.state import OnStateLoss
from app.limits.ask import Amounts, Limit, Refusal, Standing, Tightest
from app.limits.queue import Priority


class Held(Protocol):
    """What one call has taken, until it settles."""

    def settle(self, real: Amounts | None, *, refund_requests: bool = False) -> None:
        """Replace the estimate by what was used, and free concurrency. A second call does nothing.

        None: the call reached no provider. Its tokens come back; its request does with `refund_requests`.
        """
        ...


class Answer(Protocol):
    """What has come of an ask."""

    @property
    def taken(self) -> Held | Refusal:
        """What was taken, or why nothing was."""
        ...

    @property
    def degraded(self) -> bool:
        """Whether this process decided alone, because the state that it shares is lost."""
        ...

    def standings(self) -> Sequence[Standing]:
        """Say how far each limit is used, in the order in which they were asked."""
        ...

    def tightest(self) -> Tightest:
        """Say which of them the client will meet first."""
        ...


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What an ask would be told now."""

    refusal: Refusal
    tightest: Tightest


class Limiter(Protocol):
    """Keeps the meters of all subjects."""

    @property
    def held(self) -> int:
        """What calls under way have taken and not settled."""
        ...

    def configure(self, on_loss: OnStateLoss) -> None:
        """Say what becomes of limits that do not say it themselves, while shared state is lost."""
        ...

    def is_full(self, limits: Sequence[Limit], asked: Amounts) -> bool:
        """Say whether an ask would surely be refused now; nothing is taken, and nobody else asked."""
        ...

    def glimpse(self, limits: Sequence[Limit], asked: Amounts, shown: Sequence[Limit]) -> Glimpse | None:
        """Give the refusal that an ask would get now, and how far others are used; nothing is taken.

        None: it might pass, or that cannot be told without asking others.
        """
        ...

    async def take(self, limits: Sequence[Limit], asked: Amounts) -> Answer:
        """Take from all limits, or from none and say which of them frees last.

        Raises `Unavailable` where state is lost and a limit is closed then.
        """
        ...

    async def wait(
        self, limits: Sequence[Limit], asked: Amounts, *, priority: Priority, max_wait: float
    ) -> Answer:
        """Take as soon as there is room, or give the refusal after `max_wait` seconds. Raises `Unavailable`."""
        ...
