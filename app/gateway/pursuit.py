"""One call's way to an answer: its route gives the targets, and each is tried until it has answered or failed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from app.config.resilience import RetrySettings
from app.errors import GatewayError
from app.gateway.client import Client
from app.gateway.guard import Ticket
from app.gateway.retry import (
    GiveUp,
    NextTarget,
    OtherCredential,
    Progress,
    RetryBudget,
    Step,
    next_step,
)
from app.gateway.route import Failure, Route
from app.gateway.trail import Trail
from app.gateway.trial import Trial
from providers.errors import UpstreamError
from providers.types import Target

Beside = Callable[[], Awaitable[Trial | None]]
"""Begins an attempt at another target while one runs. None: there is no other that may be tried."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How one provider is tried again."""

    settings: RetrySettings
    budget: RetryBudget


@dataclass(slots=True, kw_only=True)
class Ways:
    """What a pursuit needs of the gateway."""

    patience: Callable[[str], Patience]
    """By provider."""
    begin: Callable[[Target], Awaitable[Trial]]
    """Passes the gates of a target. Raises the `GatewayError` that keeps the attempt out."""
    attempt: Callable[[Trial, Beside], Awaitable[Trial]]
    """Tries it, to the end of the answer, and may begin another beside it. Gives what has answered.

    Raises the `UpstreamError` of the one that it was given.
    """
    random: Callable[[], float]
    max_attempts: int
    trail: Trail


@dataclass(slots=True)
class Pursuit:
    """Goes on until a target has answered, or none is left."""

    ways: Ways
    ticket: Ticket
    client: Client
    deadline: float
    """Loop time; infinite without one."""
    route: Route
    tries: int = 0
    failure: UpstreamError | None = None
    closed: list[GatewayError] = field(default_factory=list)

    async def run(self) -> None:
        """Try target after target. Raises the last `UpstreamError`, or why no target could be tried."""
        target = self.route.next()
        while target is not None:
            failure = await self._failure_at(target)
            if failure is None:
                return
            target = self.route.next(failure)
        raise self.failure or min(self.closed, key=_wait)

    async def beside(self) -> Trial | None:
        """Begin an attempt at the next target that lets one through, if the call may take another try."""
        if self.client.left or self.tries >= self.ways.max_attempts:
            return None
        for target in self.route.others():
            # One that is closed now is asked again if its turn comes.
            with suppress(GatewayError):
                trial = await self.ways.begin(target)
                self.route.give(target)
                self.tries += 1
                self.ways.patience(target.provider).budget.earn()
                self.ways.trail.hedged(target)
                return trial
        return None

    async def _failure_at(self, target: Target) -> Failure | None:
        """Try one target until it answers: None, or why another is to be tried. Raises `UpstreamError` to end it all."""
        patience = self.ways.patience(target.provider)
        tries_here = 0
        failed: Failure | None = None
        while trial := await self._begin(target):
            if not tries_here:
                patience.budget.earn()
            tries_here += 1
            self.tries += 1
            try:
                answered = await self.ways.attempt(trial, self.beside)
            except UpstreamError as error:
                failed = self.failure = error
                step = self._after(error, trial, patience, tries_here)
                self.ways.trail.failed(target, error, step)
            else:
                self.ways.trail.answered(answered.target)
                return None
            if isinstance(step, GiveUp):
                raise self.failure
            if isinstance(step, NextTarget):
                return failed
            if isinstance(step, OtherCredential):
                continue
            patience.budget.spend()
            await asyncio.sleep(step.seconds)
        return failed or self.closed[-1]

    async def _begin(self, target: Target) -> Trial | None:
        """Pass the gates of a target, or note what keeps the attempt out."""
        if self.client.left:
            # A call that is drained is read to its end; none is begun for nobody.
            raise asyncio.CancelledError
        try:
            return await self.ways.begin(target)
        except GatewayError as error:
            self.closed.append(error)
            self.ways.trail.skipped(target, error)
            return None

    def _after(self, error: UpstreamError, trial: Trial, patience: Patience, tries_here: int) -> Step:
        if self.client.has_content:
            return GiveUp()
        # A strict budget has reserved one billed try for each target.
        reserved = not (self.ticket.strict and trial.billed)
        progress = Progress(
            tries_of_target=tries_here,
            tries_of_call=self.tries,
            max_attempts=self.ways.max_attempts,
            time_left=self.deadline - asyncio.get_running_loop().time(),
            has_next=self.route.leads_on(error),
            other_credential=reserved and trial.use.has_other(),
        )
        affordable = patience.budget.allows and reserved
        return next_step(error, progress, patience.settings, self.ways.random, affordable=affordable)


def _wait(error: GatewayError) -> float:
    """Order refusals by how soon they end; what no waiting ends comes last."""
    return math.inf if error.retry_after is None else error.retry_after
