"""The breakers of providers and their models together. Reliability case 92."""

from __future__ import annotations

from random import Random

import pytest

from app.config.resilience import BreakerSettings
from app.gateway.breakers import MOST_MODELS, Breakers, Permits
from app.gateway.permit import Barred
from app.gateway.verdicts import NOTHING, SUCCESS, Verdict, verdict_of
from providers.errors import RequestRejected, ServerFault, Unreachable
from tests.app.gateway.breaker_oracle import Chance

FAILED, UNREACHED = verdict_of(ServerFault("x")), verdict_of(Unreachable("x"))
ANSWERED = verdict_of(RequestRejected("x"))
DEFAULT = BreakerSettings()


def two_providers() -> Breakers:
    return Breakers({"acme": DEFAULT, "zeta": DEFAULT}, Chance())


def call(breakers: Breakers, name: str, verdict: Verdict, now: float = 0.0) -> bool:
    """Make a call of `provider/model` that ends at once; say whether it passed."""
    provider, _, model = name.partition("/")
    admitted = breakers.admit(provider, model, now)
    if isinstance(admitted, Barred):
        return False
    admitted.end(verdict, now)
    return True


def states(breakers: Breakers, now: float = 0.0) -> dict[str, str]:
    """Say how all stand, but for what is closed."""
    return {
        f"{provider}/{model or ''}": snapshot.state
        for provider, model, snapshot in breakers.standings(now)
        if snapshot.state != "closed"
    }


def test_case_92_one_model_that_fails_is_left_alone_by_itself() -> None:
    breakers = two_providers()
    assert sum(call(breakers, "acme/a", FAILED) for _ in range(50)) == 5
    assert states(breakers) == {"acme/a": "open"}
    assert call(breakers, "acme/b", SUCCESS)
    assert call(breakers, "zeta/a", SUCCESS)


def test_case_92_a_provider_that_cannot_be_reached_is_left_alone_with_all_its_models() -> None:
    breakers = two_providers()
    assert sum(call(breakers, f"acme/{index}", UNREACHED) for index in range(50)) == 5
    assert states(breakers) == {"acme/": "open"}
    assert call(breakers, "zeta/0", SUCCESS)


def test_bad_requests_do_not_hide_that_good_ones_fail() -> None:
    breakers = two_providers()
    for _ in range(5):
        call(breakers, "acme/a", ANSWERED)
        call(breakers, "acme/a", FAILED)
    assert states(breakers) == {"acme/a": "open"}


def test_calls_that_say_nothing_open_nothing() -> None:
    breakers = two_providers()
    assert all(call(breakers, "acme/a", NOTHING) for _ in range(10_000))
    assert states(breakers) == {}


def test_a_call_that_one_keeps_out_holds_no_place_with_the_other() -> None:
    breakers = two_providers()
    for _ in range(5):
        call(breakers, "acme/a", UNREACHED)
    call_at = 5.0
    assert states(breakers, call_at) == {"acme/": "half_open", "acme/a": "half_open"}
    probe = breakers.admit("acme", "a", call_at)
    assert isinstance(probe, Permits)
    assert isinstance(breakers.admit("acme", "b", call_at), Barred)
    probe.end(FAILED, call_at)
    assert states(breakers, call_at) == {"acme/": "half_open", "acme/a": "open"}
    assert isinstance(breakers.admit("acme", "a", call_at), Barred)
    assert call(breakers, "acme/b", SUCCESS, call_at), "the provider's one place is free"


def test_the_wait_is_that_of_the_breaker_that_keeps_out_for_longer() -> None:
    breakers = two_providers()
    for _ in range(5):
        call(breakers, "acme/a", FAILED)
    for _ in range(5):
        call(breakers, "acme/b", UNREACHED, 3.0)
    assert breakers.admit("acme", "a", 3.0) == Barred(5.0)
    assert breakers.admit("acme", "c", 3.0) == Barred(5.0)
    assert breakers.admit("acme", "a", 1_000.0) != Barred(5.0)


def test_on_the_way_back_a_call_has_the_same_luck_with_both() -> None:
    random = Random(5)
    breakers = Breakers({"acme": DEFAULT}, random.random)
    for _ in range(5):
        call(breakers, "acme/a", UNREACHED)
    for _ in range(2):
        assert call(breakers, "acme/a", SUCCESS, 5.0)
    assert states(breakers, 5.0) == {}
    passed = sum(call(breakers, "acme/a", SUCCESS, 10.0) for _ in range(10_000))
    assert passed / 10_000 == pytest.approx(0.55, abs=0.02)


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    breakers = two_providers()
    for _ in range(5):
        call(breakers, "acme/real", FAILED)
    for index in range(3 * MOST_MODELS):
        call(breakers, f"acme/made-up-{index}", ANSWERED)
        assert not call(breakers, "acme/real", SUCCESS), "who is asked for is not forgotten"
    assert len(list(breakers.standings(0.0))) == 2 + MOST_MODELS


def test_reset_closes_the_breakers_of_one_provider() -> None:
    breakers = two_providers()
    for _ in range(5):
        call(breakers, "acme/a", UNREACHED)
        call(breakers, "zeta/a", UNREACHED)
    breakers.reset("acme")
    assert states(breakers) == {"zeta/": "open", "zeta/a": "open"}
    assert call(breakers, "acme/a", SUCCESS)
    with pytest.raises(KeyError):
        breakers.reset("nobody")


def test_other_settings_leave_the_breakers_of_the_rest_as_they_are() -> None:
    breakers = two_providers()
    for _ in range(5):
        call(breakers, "acme/a", UNREACHED)
        call(breakers, "zeta/a", UNREACHED)
    breakers.configure({"acme": DEFAULT, "zeta": BreakerSettings(consecutive=2), "new": DEFAULT})
    assert states(breakers) == {"acme/": "open", "acme/a": "open"}
    assert sum(call(breakers, "zeta/a", FAILED) for _ in range(10)) == 2
    assert call(breakers, "new/a", SUCCESS)
    breakers.configure({"acme": DEFAULT})
    assert [(standing.provider, standing.model) for standing in breakers.standings(0.0)] == [
        ("acme", None),
        ("acme", "a"),
    ]


def test_an_attempt_ends_once_with_both() -> None:
    breakers = Breakers({"acme": BreakerSettings(consecutive=2)}, Chance())
    admitted = breakers.admit("acme", "a", 0.0)
    assert isinstance(admitted, Permits)
    for _ in range(5):
        admitted.end(UNREACHED, 0.0)
    assert states(breakers) == {}
