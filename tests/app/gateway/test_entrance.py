"""Signals come as values: memory and the loop's lag say who gets in."""

from __future__ import annotations

import pytest

from app.gateway.entrance import Capacity, Entrance, Place
from app.limits.places import PRIORITIES, Sharing
from app.limits.throttle import Beat
from app.telemetry.memory import memory_limit, memory_share, resident

SHARING = Sharing({"low": 0.7, "normal": 0.8, "high": 1.0}, 0.8)


def entrance(places: int = 10) -> Entrance:
    return Entrance(Capacity(places, 0.1, SHARING, frozenset(PRIORITIES)))


@pytest.mark.parametrize(
    ("share", "admitted", "scarce"),
    [
        (0.0, ["low", "normal", "high"], False),
        (0.919, ["low", "normal", "high"], False),
        (0.92, ["normal", "high"], True),
        (0.95, [], True),
    ],
)
def test_memory_sheds_low_first(share: float, admitted: list[str], scarce: bool) -> None:
    way_in = entrance()
    way_in.note_memory(share)
    verdicts = {priority: way_in.admit(priority, priority) for priority in PRIORITIES}
    assert [p for p, verdict in verdicts.items() if isinstance(verdict, Place)] == admitted
    assert {verdict for verdict in verdicts.values() if not isinstance(verdict, Place)} <= {"memory"}
    assert way_in.memory_is_scarce == scarce
    way_in.note_memory(0.5)
    assert isinstance(way_in.admit("low", "low"), Place)


def test_lag_sheds_low_first_then_normal() -> None:
    way_in = entrance(1_000)
    for _ in range(50):
        way_in.tick(Beat(1.0, 0.01, 1.0, 0.0))
    for _ in range(60):
        way_in.tick(Beat(1.0, 0.01, 1.0, 0.0))
        if isinstance(way_in.admit("high", "high"), Place):
            break
        assert way_in.admit("low", "low") == "lag"
        assert way_in.admit("normal", "normal") == "lag"
    else:
        pytest.fail("the highest priority never got in")
    for number in range(100):
        way_in.tick(Beat(0.01, 0.01, 0.0, number / 100))
    assert isinstance(way_in.admit("low", "low"), Place)


def test_a_place_comes_back_once_however_often_it_is_given_back() -> None:
    way_in = entrance()
    first, second = way_in.admit("one", "normal"), way_in.admit("one", "normal")
    assert isinstance(first, Place)
    assert isinstance(second, Place)
    for _ in range(3):
        first.give_back()
    assert way_in.under_way == 1
    second.give_back()
    assert way_in.under_way == 0


def test_a_key_is_alone_until_another_one_asks_and_again_when_that_one_has_been_silent() -> None:
    way_in = entrance(100)
    held = []
    while isinstance(place := way_in.admit("greedy", "normal"), Place):
        held.append(place)
    assert len(held) == 80
    assert way_in.admit("other", "normal") == "priority"
    for _ in range(10):
        held.pop().give_back()
    assert way_in.admit("greedy", "normal") == "tenant"
    assert isinstance(way_in.admit("other", "normal"), Place)
    for second in range(40):
        way_in.tick(Beat(1.0, 1.0, 0.0, float(second)))
    assert isinstance(way_in.admit("greedy", "normal"), Place)


def test_other_settings_leave_those_inside_where_they_are() -> None:
    way_in = entrance(10)
    places = [way_in.admit("one", "high") for _ in range(5)]
    assert all(isinstance(place, Place) for place in places)
    way_in.configure(Capacity(3, 0.1, SHARING, frozenset(PRIORITIES)))
    assert way_in.under_way == 5
    assert way_in.admit("two", "high") == "total"
    for place in places:
        assert isinstance(place, Place)
        place.give_back()
    assert way_in.under_way == 0
    assert isinstance(way_in.admit("two", "high"), Place)


def test_the_limit_is_the_containers(tmp_path) -> None:
    two, one = tmp_path / "memory.max", tmp_path / "limit_in_bytes"
    files = (str(two), str(one))
    assert memory_limit(files) is None
    one.write_text("9223372036854771712\n")
    assert memory_limit(files) is None, "version 1 has a number for no limit"
    two.write_text("max\n")
    assert memory_limit(files) is None
    two.write_text("1048576\n")
    assert memory_limit(files) == 1_048_576
    assert memory_share(1_048_576, lambda: 524_288) == 0.5
    assert memory_share(None) == 0.0
    assert 1 << 20 < resident() < 1 << 40
