"""The orders in which targets are tried, in simulated time. Reliability case 96."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.public_models import ModelSettings
from app.gateway.balance import IN_ORDER, Cheapest, LeastBusy, Quickest, Weighted
from app.gateway.balancing import Balancing, watched
from app.gateway.guard import Spent
from app.gateway.latency import HALF_LIFE, WORST, Latency
from app.gateway.loads import Loads
from app.gateway.stickiness import Sticky, session_of, user_of
from app.gateway.verdicts import NOTHING, verdict_of
from providers import errors
from tests.app.gateway.balance_simulation import Behaviour, Simulation, ask, options, share, target

NAMES = ("a/m", "b/m", "c/m")


def simulation(behaviour: Behaviour, *names: str, seed: int = 96) -> tuple[Simulation, Quickest]:
    loads = Loads()
    loads.configure(f"{name}/m" for name in names)
    random = Random(seed)
    made = Simulation(loads, options(*names), behaviour, random)
    return made, Quickest(loads, lambda: made.now, random.random)


def steady(**seconds: float) -> Behaviour:
    """Answer after about so long, and go on for two seconds."""

    def behave(_now: float, name: str, random: Random) -> tuple[float, float]:
        first = seconds[name[0]] * random.lognormvariate(-0.08, 0.4)
        return first, first + 2 * random.random()

    return behave


# By weight


def test_case_96_weights_are_kept_within_three_percent_over_6000_calls() -> None:
    balancer, choose = Weighted(Random(96).random), options(a=1, b=2, c=3)
    orders = [[each.name for each in balancer.order(choose, ask())] for _ in range(6_000)]
    first = Counter(order[0] for order in orders)
    assert {name: round(first[name] / 1_000, 2) for name in NAMES} == pytest.approx(
        {"a/m": 1, "b/m": 2, "c/m": 3}, rel=0.03
    )
    # Who follows is drawn among the others, by their weights again.
    after_c = Counter(order[1] for order in orders if order[0] == "c/m")
    assert after_c["b/m"] / after_c["a/m"] == pytest.approx(2, rel=0.1)
    assert all(sorted(order) == sorted(NAMES) for order in orders)


@given(st.lists(st.integers(1, 1_000_000), min_size=2, max_size=8), st.integers(0, 1_000))
def test_every_order_holds_every_target_once(weights: list[int], seed: int) -> None:
    random, loads = Random(seed), Loads()
    choose = options(**{f"t{number}": weight for number, weight in enumerate(weights)})
    for balancer in (
        IN_ORDER,
        Weighted(random.random),
        LeastBusy(loads, random.random),
        Quickest(loads, lambda: 0.0, random.random),
        Cheapest(lambda _target, _ask: random.choice([None, 1, 2])),
        Sticky(user_of, IN_ORDER),
    ):
        assert sorted(balancer.order(choose, ask())) == sorted(choose)


# By what is under way


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=2, max_size=6), st.integers(0, 99))
def test_a_busier_one_is_never_first(given: list[tuple[int, int]], seed: int) -> None:
    loads = Loads()
    choose = options(**{f"t{number}": weight for number, (_, weight) in enumerate(given)})
    loads.configure(each.name for each in choose)
    for (running, _), option in zip(given, choose, strict=True):
        for _ in range(running):
            loads.of(option.targets[0]).begin(stream=False)
    shares = {each.name: loads.of(each.targets[0]).running / each.weight for each in choose}
    order = [shares[each.name] for each in LeastBusy(loads, Random(seed).random).order(choose, ask())]
    assert order == sorted(order)


def test_idle_ones_are_drawn_by_weight() -> None:
    balancer = LeastBusy(Loads(), Random(3).random)
    first = Counter(balancer.order(options(a=1, b=3), ask())[0].name for _ in range(4_000))
    assert first["b/m"] / first["a/m"] == pytest.approx(3, rel=0.1)


def test_slow_targets_get_fewer_calls_under_least_busy() -> None:
    made, _ = simulation(steady(a=0.1, b=8.0), "a", "b")
    sent = made.run(LeastBusy(made.loads, made.random.random), rate=10, seconds=200)
    assert share(sent, "a/m") > 0.7


# By how quickly they answer


@pytest.mark.parametrize("rate", [0.5, 20.0])
def test_the_quicker_one_gets_most_calls_and_the_other_is_still_tried(rate: float) -> None:
    made, quickest = simulation(steady(a=0.2, b=1.5), "a", "b")
    made.run(quickest, rate=rate, seconds=100)
    sent = made.run(quickest, rate=rate, seconds=2_000 / rate)
    assert 0.8 < share(sent, "a/m") < 1.0


def test_a_slow_spell_is_avoided_at_once_and_forgotten_later() -> None:
    spell = (100.0, 160.0)

    def behave(now: float, name: str, random: Random) -> tuple[float, float]:
        slow = name == "a/m" and spell[0] <= now < spell[1]
        first = (4.0 if slow else {"a": 0.2, "b": 0.8}[name[0]]) * random.uniform(0.8, 1.2)
        return first, first

    made, quickest = simulation(behave, "a", "b")
    before = made.run(quickest, rate=2, seconds=spell[0])
    assert share(before[40:], "a/m") > 0.8
    made.run(quickest, rate=2, seconds=10)
    during = made.run(quickest, rate=2, seconds=50)
    assert share(during, "a/m") < 0.1
    made.run(quickest, rate=2, seconds=4 * HALF_LIFE)
    assert share(made.run(quickest, rate=2, seconds=100), "a/m") > 0.8


def test_one_that_is_not_known_is_tried_by_one_call_until_that_has_told() -> None:
    made, quickest = simulation(lambda _now, _name, _random: (3.0, 3.0), "a", "b")
    made.loads.of(target("a/m")).latency(stream=True).learn(0.2, 0.0)
    first = [made.send(quickest).to for _ in range(50)]
    assert Counter(first) == {"b/m": 1, "a/m": 49}


def test_one_that_was_slow_long_ago_is_tried_by_one_call_alone() -> None:
    made, quickest = simulation(lambda _now, _name, _random: (3.0, 3.0), "a", "b")
    made.loads.of(target("b/m")).latency(stream=True).learn(30.0, 0.0)
    made.now = 20 * HALF_LIFE
    made.loads.of(target("a/m")).latency(stream=True).learn(0.2, made.now)
    assert Counter(made.send(quickest).to for _ in range(50)) == {"b/m": 1, "a/m": 49}


def test_nobody_is_swamped_when_all_are_alike() -> None:
    made, quickest = simulation(steady(a=0.5, b=0.5, c=0.5), "a", "b", "c")
    sent = made.run(quickest, rate=30, seconds=100)[300:]
    assert all(0.2 < share(sent, name) < 0.5 for name in NAMES)
    assert max(each.busy[each.to] for each in sent) < 3 * 30 * 1.6 / 3


def test_failures_are_avoided_although_they_are_quick() -> None:
    def behave(_now: float, name: str, _random: Random) -> tuple[float | None, float]:
        return (None, 0.01) if name == "a/m" else (1.0, 1.0)

    made, quickest = simulation(behave, "a", "b")
    assert share(made.run(quickest, rate=2, seconds=100), "a/m") < 0.1


def test_a_failure_counts_more_each_time_and_not_without_end() -> None:
    latency = Latency()
    seen = []
    for moment in range(10):
        latency.fail(0.01, float(moment))
        seen.append(latency.seconds)
    assert seen[:3] == [5.0, 10.0, 20.0]
    assert seen[-1] == WORST


def test_streams_and_whole_answers_are_told_apart() -> None:
    made, quickest = simulation(steady(a=1, b=1), "a", "b")
    for name, stream, seconds in (("a", True, 0.1), ("b", True, 1.0), ("a", False, 9.0), ("b", False, 3.0)):
        made.loads.of(target(f"{name}/m")).latency(stream=stream).learn(seconds, 0.0)
    assert quickest.order(made.choose, ask(stream=True))[0].name == "a/m"
    assert quickest.order(made.choose, ask(stream=False))[0].name == "b/m"


def test_what_is_known_outlives_a_change_of_the_configuration() -> None:
    loads = Loads()
    loads.configure(["a/m", "b/m"])
    loads.of(target("a/m")).begin(stream=True)
    kept = loads.watched(target("a/m"))
    loads.configure(["a/m", "c/m"])
    assert loads.watched(target("a/m")) is kept
    assert loads.watched(target("b/m")) is None
    assert loads.of(target("b/m")).running == 0


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (None, True),
        (errors.ServerFault("x"), True),
        (errors.RateLimited("x"), True),
        (errors.CredentialRejected("x"), True),
        (errors.RequestRejected("x"), False),
        (errors.ContextLengthExceeded("x"), False),
    ],
)
def test_what_teaches_how_quick_a_target_is(error: errors.UpstreamError | None, counts: bool) -> None:
    for cut_short in (False, True):
        loads = Loads()
        loads.configure(["a/m"])
        load = loads.of(target("a/m"))
        load.begin(stream=True)
        verdict = NOTHING if cut_short else verdict_of(error)
        until_answer = None if error else 0.5
        load.end(Spent(None, None, verdict, 0.5, until_answer, cut_short), 1.0, stream=True)
        assert (load.latency(stream=True).seconds is not None) == (counts and not cut_short)
        assert (load.running, load.latency(stream=True).running) == (0, 0)


# By price


def test_the_cheapest_is_first_and_unknown_prices_are_last() -> None:
    prices = {"a/m": 30, "b/m": None, "c/m": 10}
    balancer = Cheapest(lambda each, _ask: prices[each.name])
    assert [each.name for each in balancer.order(options("a", "b", "c"), ask())] == ["c/m", "a/m", "b/m"]


# Staying at one target


def homes(choose: list, users: int = 3_000) -> dict[int, str]:
    sticky = Sticky(user_of, IN_ORDER)
    return {user: sticky.order(choose, ask(user=f"u{user}"))[0].name for user in range(users)}


def test_a_user_stays_and_users_are_spread_by_weight() -> None:
    choose = options(a=1, b=2, c=3)
    found = homes(choose)
    assert found == homes(choose)
    assert {name: count / 500 for name, count in Counter(found.values()).items()} == pytest.approx(
        {"a/m": 1, "b/m": 2, "c/m": 3}, rel=0.1
    )


def test_a_new_target_moves_no_more_users_than_it_gets() -> None:
    before, after = homes(options("a", "b", "c")), homes(options("a", "b", "c", "d"))
    moved = [user for user in before if before[user] != after[user]]
    assert all(after[user] == "d/m" for user in moved)
    assert len(moved) / len(before) == pytest.approx(1 / 4, rel=0.15)


def test_without_a_target_its_users_alone_move_each_to_its_next() -> None:
    sticky, choose = Sticky(user_of, IN_ORDER), options("a", "b", "c")
    rest = [each for each in choose if each.name != "b/m"]
    moved_to = Counter()
    for user in range(1_000):
        asked = ask(user=str(user))
        first, second, _ = sticky.order(choose, asked)
        without = sticky.order(rest, asked)[0]
        assert without == (second if first.name == "b/m" else first)
        moved_to[without.name] += first.name == "b/m"
    assert min(moved_to["a/m"], moved_to["c/m"]) > 100


def test_who_a_user_is() -> None:
    assert user_of(ask(user="u")) == user_of(ask(user="u", prompt_cache_key="p"))
    assert user_of(ask(safety_identifier="s")) != user_of(ask())
    assert user_of(ask(user="u")) != user_of(ask(user="u", key="other"))
    assert user_of(ask(user=7)) == user_of(ask(user="")) == user_of(ask())


def test_without_a_session_the_balance_decides() -> None:
    sticky = Sticky(session_of, Weighted(Random(5).random))
    choose = options("a", "b")
    assert len({sticky.order(choose, ask())[0].name for _ in range(50)}) == 2
    assert len({sticky.order(choose, ask(session="s"))[0].name for _ in range(50)}) == 1


# Which one a model gets


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "as listed"),
        ({"balance": "weighted"}, "drawn by weight 1"),
        ({"balance": "least_busy"}, "0 under way, weight 1"),
        ({"balance": "latency"}, "not tried yet, 0 under way"),
        ({"balance": "cost"}, "$0.000000005 for such a call"),
        ({"sticky": "user", "balance": "cost"}, "by the caller's hash, weight 1"),
        ({"sticky": "session", "balance": "weighted"}, "drawn by weight 1"),
    ],
)
def test_each_can_say_why(settings: dict[str, str], said: str) -> None:
    balancing = Balancing(Loads(), lambda: 0.0, Random(1).random, lambda _target, _ask: 5)
    balancer = balancing.of(ModelSettings.model_validate({"targets": ["a/m", "b/m"], **settings}))
    assert balancer.why(options("a")[0], ask()) == said


def test_only_targets_that_somebody_asks_about_are_watched() -> None:
    plain, busy = (
        ModelSettings.model_validate({"targets": targets, "balance": balance})
        for targets, balance in ((["a/m", "other"], "weighted"), (["b/m", "x"], "least_busy"))
    )
    assert watched([plain]) == set()
    assert watched([plain, busy]) == {"a/m", "b/m"}
