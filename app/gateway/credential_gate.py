"""The last gate of an attempt: it chooses the credential whose limits have room, and learns how it fared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.errors import LimitReached, Upstream, from_upstream
from app.gateway.credential import Credential, Marks, Refusal
from app.gateway.credential_pool import Credentials, Pool
from app.gateway.guard import Passage, Spent, Ticket, Use
from app.gateway.jobs import mark_of
from app.gateway.notices import Notices
from app.gateway.plan import Plan
from app.gateway.target_limits import TargetLimits
from app.telemetry.clock import Clock
from app.telemetry.record import Charge
from providers.errors import CredentialRejected, QuotaExhausted, RateLimited, UpstreamError
from providers.types import RateLimits, Target


@dataclass(frozen=True, slots=True)
class CredentialGate:
    """Implements `app.gateway.guard.Chooser`."""

    credentials: Credentials
    limits: TargetLimits
    notices: Notices
    clock: Clock

    async def take(self, ticket: Ticket, target: Target) -> Use:
        """Let an attempt through. Raises `LimitReached`, or `Upstream` while no credential can be used."""
        pool = self.credentials.of(target.provider)
        if pool is None:
            return _Without(target, await self.limits.take(ticket, target))
        now, tokens = self.clock.monotonic(), _tokens(ticket)
        waiting = pool.candidates(target.model, tokens, now)
        if ticket.mark:
            # What was submitted with one credential is not to be seen with another.
            waiting = [each for each in waiting if mark_of(each.credential.secret) == ticket.mark]
        full: list[LimitReached] = []
        for index, each in enumerate(waiting):
            chosen = each.credential.used_for(target)
            try:
                passage = await self.limits.take(ticket, chosen)
            except LimitReached as refused:
                full.append(refused)
                continue
            pool.note_turn(waiting[index:], now)
            marks = each.credential.take(target.model, tokens, now)
            return _With(chosen, passage, pool, each.credential, marks, self.notices, self.clock)
        raise min(full, key=_wait) if full else _refusal(pool, target, now)

    def steer(self, ticket: Ticket) -> Plan:
        """Give the plan, its targets whose providers say that they have no room at its end.

        They are not left out: what a provider has said may be out of date, and a refusal of its own is no worse.
        """
        plan = ticket.plan
        if len(plan.targets) == 1:
            return plan
        now, tokens = self.clock.monotonic(), _tokens(ticket)
        short = [target for target in plan.targets if self._is_short(target, tokens, now)]
        if not short:
            return plan
        return replace(plan, targets=(*(each for each in plan.targets if each not in short), *short))

    def _is_short(self, target: Target, tokens: int, now: float) -> bool:
        pool = self.credentials.of(target.provider)
        return pool is not None and pool.is_short(target.model, tokens, now)


@dataclass(frozen=True, slots=True)
class _Without:
    """An attempt at a provider that is asked without a credential."""

    target: Target
    passage: Passage

    def heard(self, status: int, limits: RateLimits | None) -> None:
        pass

    def failed(self, error: UpstreamError) -> None:
        pass

    def has_other(self) -> bool:
        return False

    def charges(self) -> Sequence[Charge]:
        return self.passage.charges()

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        return self.passage.settle(spent)


@dataclass(slots=True)
class _With:
    """An attempt with a credential."""

    target: Target
    passage: Passage
    pool: Pool
    credential: Credential
    marks: Marks
    notices: Notices
    clock: Clock
    blamed: bool = False
    """Whether its failure speaks of the credential."""

    def heard(self, status: int, limits: RateLimits | None) -> None:
        now = self.clock.monotonic()
        if limits is not None and (status < 300 or status == 429):
            # Of no other answer, or models that clients make up would crowd out the others.
            self.credential.learn(self.target.model, limits, now)
        if status < 300 and self.credential.accept(self.marks, now):
            self.notices.credential_freed(self.target.provider, self.credential.settings.position)

    def failed(self, error: UpstreamError) -> None:
        refusal = refusal_of(error)
        if refusal is None:
            return
        now = self.clock.monotonic()
        self.blamed = True
        parked = self.credential.refuse(self.marks, refusal, now)
        if parked is not None:
            self.notices.credential_parked(self.target.provider, self.credential.settings.position, parked)
        if isinstance(error, RateLimited):
            error.retry_after = self.pool.wait(self.target.model, now)

    def has_other(self) -> bool:
        return self.blamed and not self.pool.wait(self.target.model, self.clock.monotonic())

    def charges(self) -> Sequence[Charge]:
        return self.passage.charges()

    def settle(self, spent: Spent, /) -> Sequence[Charge]:
        self.credential.release(self.marks)
        return self.passage.settle(spent)


def refusal_of(error: UpstreamError) -> Refusal | None:
    """Say what a failure tells of the credential, if anything."""
    if isinstance(error, QuotaExhausted):
        return Refusal("quota_exhausted", None, of_model=False)
    if isinstance(error, RateLimited):
        # Providers limit their models apart: one that is full keeps nobody from the others.
        return Refusal("rate_limited", error.retry_after, of_model=True)
    if isinstance(error, CredentialRejected):
        # A 401 is about the credential. A 403 may be about what was asked for, which clients choose.
        return Refusal("rejected", None, of_model=error.status == 403)
    return None


def _tokens(ticket: Ticket) -> int:
    return ticket.forecast.input_tokens + ticket.forecast.output_tokens


def _wait(error: LimitReached) -> float:
    return float("inf") if error.retry_after is None else error.retry_after


def _refusal(pool: Pool, target: Target, now: float) -> Upstream:
    if pool.is_refused(target.model):
        return from_upstream(CredentialRejected("no credential is accepted"))
    wait = pool.wait(target.model, now)
    said = f"`{target.provider}` takes no more calls for `{target.model}` for now. Try again in {wait:.3g} s."
    return from_upstream(RateLimited(said, retry_after=wait))
