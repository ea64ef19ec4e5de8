"""What providers say is left of their limits, and for how long that is believed."""

from __future__ import annotations

from app.gateway.headroom import UNSAID_RESET, Headroom
from providers.types import RateLimits


def test_nothing_known_holds_nothing_back() -> None:
    assert Headroom().short_for(10**9, 100.0) == 0.0


def test_a_call_that_does_not_fit_waits_for_the_reset_and_not_longer() -> None:
    room = Headroom()
    room.learn(
        RateLimits(remaining_requests=5, remaining_tokens=100, reset_requests=1.0, reset_tokens=6.0), 100.0
    )
    assert room.short_for(100, 100.0) == 0.0
    assert room.short_for(101, 100.0) == 6.0
    assert room.short_for(101, 104.0) == 2.0
    assert room.short_for(101, 106.0) == 0.0
    room.learn(RateLimits(remaining_requests=0, reset_requests=30.0), 100.0)
    assert room.short_for(1, 101.0) == 29.0


def test_calls_since_then_are_counted() -> None:
    room = Headroom()
    room.learn(
        RateLimits(remaining_requests=3, remaining_tokens=100, reset_requests=60.0, reset_tokens=60.0), 0.0
    )
    for left in (70, 40, 10):
        assert room.short_for(30, 1.0) == 0.0
        room.spend(30)
        assert room.tokens.known(1.0) == left
    assert room.requests.known(1.0) == 0
    assert room.short_for(1, 1.0) == 59.0
    room.learn(RateLimits(remaining_requests=7, reset_requests=60.0), 2.0)
    assert room.requests.known(2.0) == 7
    assert room.tokens.known(2.0) == 10, "what is not said again stays"


def test_a_count_without_a_reset_is_believed_for_a_moment() -> None:
    room = Headroom()
    room.learn(RateLimits(remaining_requests=0), 0.0)
    assert room.short_for(1, 0.0) == UNSAID_RESET
    assert room.short_for(1, UNSAID_RESET) == 0.0
