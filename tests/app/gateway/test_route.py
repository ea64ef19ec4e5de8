"""Which target follows which failure: chains by cause, nobody twice. Reliability cases 71, 72."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BudgetExceeded, GatewayError, LimitReached, Unavailable
from app.gateway.plan import Plan
from app.gateway.route import Route
from providers import errors
from providers.errors import UpstreamError
from tests.app.gateway.balance_simulation import target

ALL = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, UpstreamError)]
FULL = LimitReached("full", retry_after=1.0)
CHAINS = {
    "default": ("d/1", "d/2"),
    "context_window": ("long/1", "long/2"),
    "content_policy": ("free/1",),
    "rate_limit": ("spare/1",),
}
FOLLOWS = {
    errors.RequestRejected: None,
    errors.ContextLengthExceeded: "long/1",
    errors.ContentPolicyViolation: "free/1",
    errors.RateLimited: "spare/1",
    errors.QuotaExhausted: "spare/1",
}
"""What is tried after the last target has failed so; after every other failure the default chain is."""


def route(*targets: str, **chains: tuple[str, ...]) -> Route:
    fallbacks = {cause: tuple(map(target, names)) for cause, names in chains.items()}
    return Route(Plan(tuple(map(target, targets)), "rule", fallbacks=fallbacks))


def goes(way: Route, *failures: UpstreamError | GatewayError) -> list[str]:
    """Give the targets that are tried when each fails so, in turn."""
    given = [way.next()]
    for failure in failures:
        leads = way.leads_on(failure)
        given.append(way.next(failure))
        assert leads == (given[-1] is not None)
    return [each.name if each else "" for each in given]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_failure_has_its_chain(kind: type[UpstreamError]) -> None:
    expected = FOLLOWS.get(kind, "d/1")
    assert goes(route("a/1", **CHAINS), kind("x")) == ["a/1", expected or ""]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_without_chains_a_call_ends_with_its_targets(kind: type[UpstreamError]) -> None:
    assert goes(route("a/1"), kind("x")) == ["a/1", ""]
    assert goes(route("a/1", "b/1"), kind("x")) == ["a/1", "b/1" if kind.try_next else ""]


def test_a_failure_that_all_targets_would_have_skips_those_that_are_left() -> None:
    assert goes(route("a/1", "b/1", **CHAINS), errors.ContextLengthExceeded("x"))[1] == "long/1"


def test_a_window_that_is_still_too_small_leads_to_the_next_of_its_chain_and_no_further() -> None:
    too_long = errors.ContextLengthExceeded("x")
    assert goes(route("a/1", **CHAINS), too_long, too_long, too_long) == ["a/1", "long/1", "long/2", ""]


def test_the_other_targets_come_before_the_limits_chain() -> None:
    limited = errors.RateLimited("x")
    way = route("a/1", "b/1", **CHAINS)
    assert goes(way, limited, FULL, limited) == ["a/1", "b/1", "spare/1", "d/1"]


@pytest.mark.parametrize("other", [errors.ServerFault("x"), Unavailable("open"), errors.Unreachable("x")])
def test_one_that_is_not_at_a_limit_makes_it_the_default_chain(other: UpstreamError | GatewayError) -> None:
    assert goes(route("a/1", "b/1", **CHAINS), errors.RateLimited("x"), other)[-1] == "d/1"
    assert goes(route("a/1", "b/1", **CHAINS), other, errors.RateLimited("x"))[-1] == "d/1"


def test_our_own_limits_and_the_provider_s_budget_are_limits_too() -> None:
    assert goes(route("a/1", "b/1", **CHAINS), FULL, BudgetExceeded("spent"))[-1] == "spare/1"
    assert goes(route("a/1", default=("d/1",)), FULL)[-1] == "d/1"


def test_nobody_is_asked_twice_though_a_chain_names_it_again() -> None:
    way = route("a/1", "b/1", default=("b/1", "a/1", "c/1"), rate_limit=("a/1", "d/1", "c/1"))
    limited, fault = errors.RateLimited("x"), errors.ServerFault("x")
    assert goes(way, limited, limited, fault, fault, fault) == ["a/1", "b/1", "d/1", "c/1", "", ""]


def test_a_target_that_was_skipped_may_come_in_a_chain() -> None:
    way = route("a/1", "b/1", context_window=("b/1",))
    assert goes(way, errors.ContextLengthExceeded("x")) == ["a/1", "b/1"]


def test_another_target_beside_the_running_one_is_of_the_same_chain() -> None:
    way = route("a/1", "b/1", **CHAINS)
    way.next()
    (beside,) = way.others()
    assert beside.name == "b/1"
    way.give(beside)
    assert way.others() == []
    following = way.next(errors.ServerFault("x"))
    assert following is not None
    assert following.name == "d/1"


def test_one_given_out_of_its_turn_is_not_given_again() -> None:
    way = route("a/1", "b/1", "c/1", default=("c/1", "d/1"))
    way.next()
    way.give(way.others()[1])
    failure = errors.ServerFault("x")
    assert [each and each.name for each in (way.next(failure), way.next(failure), way.next(failure))] == [
        "b/1",
        "d/1",
        None,
    ]


names = st.lists(st.sampled_from([f"t/{number}" for number in range(6)]), min_size=1, max_size=4, unique=True)
chains = st.dictionaries(st.sampled_from(list(CHAINS)), names.map(tuple))
failures = st.sampled_from([*(kind("x") for kind in ALL), FULL, Unavailable("open"), BudgetExceeded("x")])


@given(names, chains, st.lists(failures, min_size=30, max_size=30))
def test_every_way_ends_and_meets_nobody_twice(
    first: list[str], more: dict[str, tuple[str, ...]], story: list[UpstreamError | GatewayError]
) -> None:
    given = [name for name in goes(route(*first, **more), *story) if name]
    assert (
        len(given) == len(set(given)) <= len({*first, *(name for chain in more.values() for name in chain)})
    )
