from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.usage.rates import RATE_NAMES, UNITS, Band, Rates
from providers.types import Usage

TEXT = Band(
    input=20 * UNITS,
    cached=2 * UNITS,
    cache_write=25 * UNITS,
    audio_input=90 * UNITS,
    output=100 * UNITS,
    reasoning=70 * UNITS,
    audio_output=300 * UNITS,
)


def test_each_kind_of_token_has_its_own_rate_and_is_counted_once():
    usage = Usage(
        input_tokens=1000,
        cached_tokens=300,
        cache_write_tokens=200,
        audio_input_tokens=100,
        output_tokens=500,
        reasoning_tokens=50,
        audio_output_tokens=40,
    )
    expected = 400 * 20 + 300 * 2 + 200 * 25 + 100 * 90 + 410 * 100 + 50 * 70 + 40 * 300
    assert Rates((TEXT,)).cost(usage) == expected


def test_a_call_is_rounded_up_once_and_not_by_token_or_kind():
    third = Rates((Band(input=UNITS // 3 + 1, output=UNITS // 3),))
    assert third.cost(Usage(input_tokens=1, output_tokens=1)) == 1
    assert third.cost(Usage(input_tokens=2, output_tokens=4)) == 2
    assert third.cost(Usage(input_tokens=3, output_tokens=3)) == 3  # 2.000000000000001
    assert third.cost(Usage(input_tokens=10**9)) == 333_333_334  # 333,333,333.3
    assert third.cost(Usage()) == 0


def test_the_price_of_a_call_is_added_whatever_its_tokens():
    rates = Rates((TEXT,), request=5_000_000 * UNITS)
    assert rates.cost(Usage()) == 5_000_000
    assert rates.cost(Usage(input_tokens=1)) == 5_000_020
    assert rates.bound(0, 0) == 5_000_000


def test_a_prompt_over_a_threshold_has_all_its_tokens_at_that_rate():
    rates = Rates(
        (
            Band(above=200_000, input=6 * UNITS, output=20 * UNITS),
            Band(above=100_000, input=4 * UNITS, output=15 * UNITS),
            Band(input=3 * UNITS, output=15 * UNITS),
        )
    )
    assert rates.cost(Usage(input_tokens=100_000, output_tokens=1)) == 300_015
    assert rates.cost(Usage(input_tokens=100_001, output_tokens=1)) == 400_019
    assert rates.cost(Usage(input_tokens=200_001, output_tokens=1)) == 1_200_026


@pytest.mark.parametrize(
    ("usage", "nanos"),
    [
        (Usage(input_tokens=10, cached_tokens=99), 20),
        (Usage(input_tokens=10, cached_tokens=10, audio_input_tokens=4), 4 * 90 + 6 * 2),
        (Usage(input_tokens=10, cache_write_tokens=20, cached_tokens=20), 250),
        (Usage(output_tokens=10, reasoning_tokens=99), 700),
        (Usage(input_tokens=-5, output_tokens=-5, cached_tokens=-1), 0),
        (Usage(input_tokens=10, cached_tokens=-7), 200),
    ],
)
def test_counts_that_contradict_each_other_never_give_money_back(usage, nanos):
    assert Rates((TEXT,)).cost(usage) == nanos


def test_a_factor_multiplies_every_rate_and_rounds_none_down():
    half = Rates((replace(TEXT, input=3),), request=UNITS).times(Fraction(1, 2))
    assert half.bands[0].input == 2
    assert half.bands[0].output == 50 * UNITS
    assert half.cost(Usage()) == 1


_rate = st.integers(0, 10**20)
_tokens = st.integers(0, 2_000_000)


@st.composite
def _rates(draw):
    starts = sorted(draw(st.sets(st.integers(0, 1_000_000), max_size=3)), reverse=True)
    bands = tuple(Band(above=above, **{name: draw(_rate) for name in RATE_NAMES}) for above in (*starts, -1))
    return Rates(bands, draw(st.integers(0, 10**22)))


@given(rates=_rates(), counts=st.lists(_tokens, min_size=9, max_size=9), spare=st.tuples(_tokens, _tokens))
def test_no_usage_within_the_counts_costs_more_than_the_bound(rates, counts, spare):
    usage = Usage(*counts)
    bound = rates.bound(usage.input_tokens + spare[0], usage.output_tokens + spare[1])
    assert 0 <= rates.cost(usage) <= bound


@given(rates=_rates(), count=_tokens, output=_tokens)
def test_the_bound_is_reached_by_some_usage_of_one_band(rates, count, output):
    """Tight where the prompt reaches no threshold: else strict budgets would refuse what they could serve."""
    flat = Rates(rates.bands[-1:], rates.request)
    parts_in = ("cached_tokens", "cache_write_tokens", "audio_input_tokens", "image_input_tokens")
    parts_out = ("reasoning_tokens", "audio_output_tokens", "image_output_tokens")
    kinds_in = ({}, *({name: count} for name in parts_in))
    kinds_out = ({}, *({name: output} for name in parts_out))
    costs = [
        flat.cost(Usage(input_tokens=count, output_tokens=output, **i, **o))
        for i in kinds_in
        for o in kinds_out
    ]
    assert max(costs) == flat.bound(count, output)


def test_what_a_provider_does_not_bill_costs_nothing():
    # Cohere counts 517 tokens of an answer and bills 19: here a dollar for each million.
    rates = Rates((Band(input=10**18, output=10**18),))
    assert rates.cost(Usage(507, 10, cached_tokens=448, billed=(12, 7))) == 19_000
