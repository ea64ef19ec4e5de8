"""How often a hedge is allowed, and after what time: on numbers alone."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.config.public_models import HedgeSettings
from app.gateway.hedge import MOST_SAMPLED, WARM, Hedge, Hedges


def hedging(after: float | str = 2.0, cap: str = "0.05") -> HedgeSettings:
    return HedgeSettings(after=after, cap=Decimal(cap))  # type: ignore[arg-type] - text is checked when it is read


def hedge(after: float | str = 2.0, cap: str = "0.05") -> Hedge:
    return Hedge(hedging(after, cap), lambda _event: None)


def learned(times: list[float], *, stream: bool = True, target: str = "up/a") -> Hedge:
    found = hedge("p95", "1")
    found.earn()
    for seconds in times:
        found.learn(target, seconds, stream=stream)
    return found


def test_the_twentieth_call_pays_for_the_first_hedge() -> None:
    found = hedge()
    for call in range(1, 41):
        found.earn()
        assert found.allows == (call >= 20)


@given(
    st.decimals("0.000000001", "1", places=9),
    st.lists(st.booleans(), max_size=600),
)
def test_there_are_never_more_hedges_than_the_cap_allows(cap: Decimal, wishes: list[bool]) -> None:
    found, begun = Hedge(HedgeSettings(cap=cap), lambda _event: None), 0
    for calls, wishes_one in enumerate(wishes, 1):
        found.earn()
        if wishes_one and found.take():
            begun += 1
        assert begun <= cap * calls


def test_a_calm_day_does_not_pay_for_a_burst() -> None:
    found, burst = hedge(), 0
    for _ in range(10_000):
        found.earn()
    while found.take():
        burst += 1
    assert burst == 3


def test_a_given_time_holds_from_the_first_call_that_is_paid_for() -> None:
    found = hedge(2.0, "1")
    assert found.wait("up/a", stream=True) is None
    found.earn()
    assert found.wait("up/a", stream=True) == 2.0


def test_a_percentile_needs_samples() -> None:
    assert learned([0.1] * (WARM - 1)).wait("up/a", stream=True) is None
    assert learned([0.1] * WARM).wait("up/a", stream=True) == 0.1


def test_it_is_the_95th_percentile() -> None:
    chance = random.Random(1)
    times = [float(n) for n in range(1, 61)]
    chance.shuffle(times)
    assert learned(times).wait("up/a", stream=True) == 57.0


def test_streams_whole_answers_and_targets_are_kept_apart() -> None:
    found = learned([0.1] * WARM)
    assert found.wait("up/a", stream=False) is None
    assert found.wait("up/b", stream=True) is None


def test_what_was_slow_is_forgotten() -> None:
    assert learned([9.0] * 64 + [0.1] * 64).wait("up/a", stream=True) == 0.1


def test_what_is_remembered_is_bounded() -> None:
    found = hedge("p95", "1")
    for number in range(10 * MOST_SAMPLED):
        found.learn(f"up/{number}", 0.1, stream=True)
    assert len(found._times) == MOST_SAMPLED


def test_other_settings_keep_what_was_learnt() -> None:
    counted: list[tuple[str, str]] = []
    hedges = Hedges({"m": hedging("p95", "1"), "gone": hedging()}, lambda *told: counted.append(told))
    known = hedges.of("m")
    assert known is not None
    known.earn()
    for _ in range(WARM):
        known.learn("up/a", 0.3, stream=True)
    hedges.configure({"m": hedging("p95", "0.5"), "new": hedging()})
    assert hedges.of("m") is known
    assert (hedges.of("gone"), hedges.of("new") is None) == (None, False)
    assert known.wait("up/a", stream=True) == 0.3
    assert known.take()
    known.count("started")
    assert counted == [("m", "started")]
    known.earn()
    assert not known.allows, "half a hedge is no hedge"
