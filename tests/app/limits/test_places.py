"""Who may hold how many places: never too many, the best served last, nobody starved."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits.places import PRIORITIES, Places, Sharing

SHARING = Sharing({"low": 0.7, "normal": 0.8, "high": 1.0}, 0.8)
STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from(PRIORITIES)), min_size=1, max_size=200
)


@given(st.integers(1, 40), STEPS)
def test_never_more_than_there_are_and_each_comes_back_once(capacity: int, steps) -> None:
    places, held = Places(capacity, SHARING), Counter[str]()
    for takes, tenant, priority in steps:
        if takes:
            before = places.taken
            if places.objection(tenant, priority, alone=False) is None:
                places.take(tenant)
                held[tenant] += 1
                assert places.taken == before + 1 <= capacity * SHARING.bars[priority]
        elif held[tenant]:
            places.give_back(tenant)
            held[tenant] -= 1
        assert places.taken == held.total()
        assert all(places.held(each) == held[each] for each in "abc")
    for tenant, count in held.items():
        for _ in range(count):
            places.give_back(tenant)
    assert places.taken == 0


@given(st.integers(1, 40), STEPS)
def test_a_higher_priority_is_never_worse_off(capacity: int, steps) -> None:
    places = Places(capacity, SHARING)
    for _, tenant, priority in steps:
        objections = [places.objection("newcomer", each, alone=False) for each in PRIORITIES]
        refused = [objection is not None for objection in objections]
        assert refused == sorted(refused, reverse=True), "refused in the order low, normal, high"
        if places.objection(tenant, priority, alone=False) is None:
            places.take(tenant)


@given(st.integers(6, 200), st.integers(1, 8))
def test_one_who_holds_nothing_finds_a_place_however_greedy_the_others_are(
    capacity: int, greedy: int
) -> None:
    places = Places(capacity, SHARING)
    took = True
    while took:
        took = False
        for number in range(greedy):
            # One that already holds something: those that hold nothing are newcomers themselves.
            if places.objection(f"greedy-{number}", "normal", alone=False) is None:
                places.take(f"greedy-{number}")
                took = True
    if places.taken < int(capacity * 0.8):
        assert places.objection("newcomer", "normal", alone=False) is None
    shares = [places.held(f"greedy-{number}") for number in range(greedy)]
    assert max(shares) - min(shares) <= 1, "those that want the same get the same"
    # Nearly nothing is left unused: the multiple is 4, so of n there are 4n/(4n+1) in use.
    assert places.taken >= int(capacity * 0.8) * 4 * greedy // (4 * greedy + 1) - greedy


def test_a_newcomer_is_let_in_before_one_that_has_its_share() -> None:
    places = Places(100, SHARING)
    while places.objection("greedy", "normal", alone=True) is None:
        places.take("greedy")
    assert places.held("greedy") == 80, "alone, it may have all of its class"
    assert places.objection("newcomer", "normal", alone=False) == "priority"
    for _ in range(10):
        places.give_back("greedy")
    while places.objection("newcomer", "normal", alone=False) is None:
        assert places.objection("greedy", "normal", alone=False) == "tenant"
        places.take("newcomer")
    assert (places.held("greedy"), places.held("newcomer")) == (70, 8)


@pytest.mark.parametrize(
    ("present", "admitted"),
    [
        ({"normal"}, {"low": 7, "normal": 10, "high": 10}),
        ({"low"}, {"low": 10, "normal": 10, "high": 10}),
        ({"low", "normal"}, {"low": 7, "normal": 10, "high": 10}),
        ({"low", "high"}, {"low": 7, "normal": 8, "high": 10}),
        ({"normal", "high"}, {"low": 7, "normal": 8, "high": 10}),
    ],
)
def test_nothing_is_kept_for_priorities_that_nobody_has(present, admitted) -> None:
    for priority in PRIORITIES:
        places = Places(10, SHARING.among(present))
        while places.objection("one", priority, alone=True) is None:
            places.take("one")
        assert places.taken == admitted[priority]


def test_fewer_places_take_none_away_from_those_who_hold_them() -> None:
    places = Places(10, SHARING)
    for _ in range(8):
        places.take("one")
    places.configure(2, SHARING)
    assert places.taken == 8
    assert places.objection("two", "high", alone=False) == "total"
    for _ in range(7):
        places.give_back("one")
    assert places.objection("two", "high", alone=False) is None
