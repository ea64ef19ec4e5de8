"""Attempts at targets that have failed are kept out, and what became of the others is learnt."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from app.auth.principal import Principal
from app.config.resilience import BreakerSettings
from app.errors import LimitReached, Unavailable
from app.gateway.breaker_gate import BreakerGate
from app.gateway.breakers import Breakers
from app.gateway.forecast import Forecast
from app.gateway.guard import Gate, Passage, Passages, Spent, Ticket
from app.gateway.plan import Plan
from app.gateway.verdicts import SUCCESS, verdict_of
from app.telemetry.clock import Clock
from providers.errors import ServerFault, Unreachable
from providers.types import Call, Operation, Target
from tests.app.gateway.breaker_oracle import Chance

TARGET = Target(provider="acme", dialect="openai", base_url="https://api.acme.test/v1", model="large")
OTHER = Target(provider="zeta", dialect="openai", base_url="https://api.zeta.test/v1", model="large")
TICKET = Ticket(
    "request",
    Call(Operation.CHAT, "large", {"model": "large"}, "id", 0),
    Principal("anyone"),
    Plan((TARGET, OTHER), "test"),
    Forecast(1, 1, None),
)
FAULT = verdict_of(ServerFault("x"))


class Room:
    """The gate, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        settings = dict.fromkeys(("acme", "zeta"), BreakerSettings())
        self.breakers = Breakers(settings, Chance())
        self.gate = BreakerGate(self.breakers, Clock(lambda: 0.0, lambda: self.now))

    def attempt(self, *others: Gate, target: Target = TARGET) -> Passages:
        passages = Passages()
        at_once(passages.take([self.gate, *others], TICKET, target))
        return passages

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.attempt().settle(Spent(None, None, FAULT))

    def states(self) -> list[str]:
        return [standing.snapshot.state for standing in self.breakers.standings(self.now)]


class Full:
    """A gate behind it that lets nobody through."""

    async def take(self, _ticket: Ticket, _target: Target) -> Passage:
        raise LimitReached("full", retry_after=1.0)


def at_once(work: Coroutine[None, None, None]) -> None:
    """Do what never waits."""
    with pytest.raises(StopIteration):
        work.send(None)


def test_case_88_the_sixth_attempt_is_kept_out_and_told_how_long() -> None:
    room = Room()
    room.fail(5)
    room.now += 1.5
    with pytest.raises(Unavailable) as caught:
        room.attempt()
    refusal = caught.value
    assert (refusal.http_status, refusal.code) == (503, "no_healthy_upstream")
    assert refusal.headers == (("retry-after-ms", "3500"), ("retry-after", "4"))
    assert "acme/large" in refusal.message
    assert "https" not in refusal.message
    room.attempt(target=OTHER)


def test_a_long_wait_tells_clients_not_to_retry() -> None:
    room = Room()
    room.fail(5)
    for _ in range(6):
        room.now += 300.0
        room.fail(1)
    with pytest.raises(Unavailable) as caught:
        room.attempt()
    assert ("x-should-retry", "false") in caught.value.headers


def test_an_attempt_that_ends_well_closes_it_again() -> None:
    room = Room()
    room.fail(5)
    room.now += 5.0
    for _ in range(2):
        room.attempt().settle(Spent(None, None, SUCCESS))
    assert set(room.states()) == {"closed"}


def test_a_tenant_whose_deadline_passes_at_once_can_open_nothing() -> None:
    room = Room()
    for error in [TimeoutError(), asyncio.CancelledError()] * 500:
        room.attempt().settle(Spent(None, None, verdict_of(error)))
        room.attempt().settle(Spent(None, None))
    assert set(room.states()) == {"closed"}


def test_a_probe_that_another_gate_keeps_out_frees_its_place() -> None:
    room = Room()
    for _ in range(5):
        room.attempt().settle(Spent(None, None, verdict_of(Unreachable("x"))))
    room.now += 5.0
    for _ in range(10):
        with pytest.raises(LimitReached):
            room.attempt(Full())
    probe = room.attempt()
    with pytest.raises(Unavailable):
        room.attempt()
    probe.settle(Spent(None, None))
    room.attempt()


def test_nothing_is_charged() -> None:
    passages = Room().attempt()
    assert passages.charges() == []
    assert passages.settle(Spent(None, None)) == []
