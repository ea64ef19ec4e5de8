"""Who serves after whom: the table of processes, driven through lives that no clock has to wait for."""

from __future__ import annotations

import signal

import pytest

from app.supervisor.succession import (
    DELAYS,
    MOST_STARTS,
    START_LIMIT,
    STEADY,
    Action,
    End,
    LetGo,
    Say,
    Send,
    Start,
    Succession,
)

TERM, INT, HUP, USR2, KILL = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR2,
    signal.SIGKILL,
)


def done(actions) -> list[Action]:
    """Give what is done, without what is said."""
    return [action for action in actions if not isinstance(action, Say)]


def said(actions) -> str:
    return "\n".join(action.text for action in actions if isinstance(action, Say))


@pytest.fixture
def serving() -> Succession:
    """Process 1 serves since second 0."""
    succession = Succession()
    assert done(succession.begin()) == [Start(0)]
    succession.started(0, 1, 0)
    assert done(succession.ready(1, 0)) == []
    return succession


@pytest.mark.parametrize("status", [0, 1, 2, -9])
def test_a_first_start_that_fails_ends_all_with_its_status(status):
    succession = Succession()
    list(succession.begin())
    succession.started(0, 1, 0)
    assert done(succession.ended(1, status, 0)) == [LetGo(), End(status)]


def test_the_first_start_takes_as_long_as_it_takes():
    succession = Succession()
    list(succession.begin())
    succession.started(0, 1, 0)
    assert succession.next_due() is None
    assert done(succession.due(10 * START_LIMIT)) == []


def test_a_successor_that_is_ready_sends_the_old_one_away(serving):
    assert done(serving.restart()) == [Start(0)]
    serving.started(0, 2, 1)
    assert done(serving.ready(2, 2)) == [Send(1, USR2)]
    assert list(serving.ended(1, 0, 60)) == []
    assert serving.next_due() is None


def test_a_successor_that_fails_leaves_the_old_one_alone(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    ended = list(serving.ended(2, 1, 2))
    assert done(ended) == []
    assert said(ended) == "process 2 ended with status 1 before it was ready; 1 goes on serving"
    assert done(serving.restart()) == [Start(0)]


def test_a_successor_that_never_gets_ready_is_ended(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    assert serving.next_due() == 1 + START_LIMIT
    assert done(serving.due(START_LIMIT)) == []
    assert done(serving.due(1 + START_LIMIT)) == [Send(2, KILL)]
    assert done(serving.ended(2, -KILL, 2 + START_LIMIT)) == []


def test_a_restart_during_a_restart_comes_after_it(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    assert done(serving.restart()) == []
    assert done(serving.ready(2, 2)) == [Send(1, USR2), Start(0)]
    serving.started(0, 3, 2)
    assert done(serving.ready(3, 3)) == [Send(2, USR2)]


def test_one_that_dies_is_replaced_at_once_and_then_ever_later(serving):
    now, pid = 100.0, 1
    for delay in (*DELAYS, DELAYS[-1]):
        assert done(serving.ended(pid, -11, now)) == []
        assert serving.next_due() == now + delay
        now += delay
        assert done(serving.due(now)) == [Start(0)]
        pid += 1
        serving.started(0, pid, now)
        serving.ready(pid, now)
        assert done(serving.ready(pid, now)) == []
    now += STEADY
    list(serving.ended(pid, -11, now))
    assert serving.next_due() == now + DELAYS[0]


def test_replacements_that_cannot_start_are_tried_so_often_and_no_more(serving):
    now = 100.0
    assert done(serving.ended(1, 3, now)) == []
    for number in range(MOST_STARTS):
        due = serving.next_due()
        assert due is not None
        assert due - now <= DELAYS[-1]
        now = due
        assert done(serving.due(now)) == [Start(0)]
        serving.started(0, 10 + number, now)
        last = done(serving.ended(10 + number, 4, now))
    assert last == [LetGo(), End(4)]


def test_one_that_dies_while_its_successor_starts_is_followed_by_that(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    assert done(serving.ended(1, -9, 1)) == []
    assert done(serving.ready(2, 2)) == []
    assert done(serving.due(1000)) == []


def test_a_stop_reaches_all_but_those_that_leave_and_a_second_one_all(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    list(serving.ready(2, 2))
    assert done(serving.stop(TERM)) == [Send(2, TERM), LetGo()]
    assert done(serving.stop(INT)) == [Send(1, INT), Send(2, INT), LetGo()]
    assert done(serving.ended(1, 0, 3)) == []
    assert done(serving.ended(2, 7, 3)) == [End(7)]


def test_a_stop_ends_with_the_status_of_who_served_not_of_who_was_about_to(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    assert done(serving.stop(TERM)) == [Send(1, TERM), Send(2, TERM), LetGo()]
    assert done(serving.ended(2, -TERM, 2)) == []
    assert done(serving.ended(1, 0, 3)) == [End(0)]


def test_nobody_is_started_while_it_stops(serving):
    list(serving.ended(1, -11, 100))
    assert done(serving.stop(TERM)) == [LetGo(), End(0)]
    assert done(serving.due(1000)) == []
    assert done(serving.restart()) == []


def test_a_reload_reaches_who_serves_and_waits_for_who_starts(serving):
    list(serving.restart())
    serving.started(0, 2, 1)
    assert done(serving.reload()) == [Send(1, HUP)]
    assert done(serving.ready(2, 2)) == [Send(1, USR2), Send(2, HUP)]
    assert done(serving.reload()) == [Send(2, HUP)]


def test_orphans_of_others_are_nobody(serving):
    assert done(serving.ended(4711, 1, 5)) == []
    assert done(serving.ready(4711, 5)) == []
    assert done(serving.stop(TERM)) == [Send(1, TERM), LetGo()]


@pytest.fixture
def three() -> Succession:
    """Processes 1, 2 and 3 serve since second 0: the first has said that there are to be three."""
    succession = Succession()
    list(succession.begin())
    succession.started(0, 1, 0)
    assert done(succession.ready(1, 0, workers=3)) == [Start(1), Start(2)]
    for place in (1, 2):
        succession.started(place, 1 + place, 0)
        assert done(succession.ready(1 + place, 0, workers=3)) == []
    return succession


def test_a_restart_comes_to_one_place_after_the_other(three):
    assert done(three.restart()) == [Start(0)]
    three.started(0, 11, 1)
    assert done(three.ready(11, 2, workers=3)) == [Send(1, USR2), Start(1)]
    three.started(1, 12, 2)
    assert done(three.ready(12, 3, workers=3)) == [Send(2, USR2), Start(2)]
    three.started(2, 13, 3)
    assert done(three.ready(13, 4, workers=3)) == [Send(3, USR2)]
    assert done(three.stop(TERM)) == [Send(11, TERM), Send(12, TERM), Send(13, TERM), LetGo()]


def test_what_one_successor_cannot_start_with_the_others_are_spared(three):
    list(three.restart())
    three.started(0, 11, 1)
    actions = list(three.ended(11, 1, 2))
    assert done(actions) == []
    assert "1 goes on serving" in said(actions)
    assert done(three.restart()) == [Start(0)]


def test_a_restart_asked_for_during_one_comes_after_the_last_place(three):
    list(three.restart())
    three.started(0, 11, 1)
    assert done(three.restart()) == []
    assert done(three.ready(11, 2, workers=2)) == [Send(1, USR2), Send(3, USR2), Start(1)]
    three.started(1, 12, 2)
    assert done(three.ready(12, 3, workers=2)) == [Send(2, USR2), Start(0)]


def test_more_or_fewer_workers_come_with_a_restart(three):
    list(three.restart())
    three.started(0, 11, 1)
    assert done(three.ready(11, 2, workers=1)) == [Send(1, USR2), Send(2, USR2), Send(3, USR2)]
    list(three.restart())
    three.started(0, 12, 3)
    assert done(three.ready(12, 4, workers=2)) == [Send(11, USR2), Start(1)]


def test_one_that_dies_is_replaced_while_the_others_serve(three):
    now = 100.0
    assert done(three.ended(2, -9, now)) == []
    for number in range(2 * MOST_STARTS):
        due = three.next_due()
        assert due is not None
        assert due - now <= DELAYS[-1]
        now = due
        assert done(three.due(now)) == [Start(1)]
        three.started(1, 20 + number, now)
        actions = list(three.ended(20 + number, 4, now))
        assert done(actions) == [], "it is tried for ever as long as others serve"
        assert "2 others serve" in said(actions)


def test_a_stop_reaches_every_place(three):
    assert done(three.stop(TERM)) == [Send(1, TERM), Send(2, TERM), Send(3, TERM), LetGo()]
    assert done(three.ended(1, 0, 1)) == []
    assert done(three.ended(3, 0, 1)) == []
    assert done(three.ended(2, 0, 1)) == [End(0)]
