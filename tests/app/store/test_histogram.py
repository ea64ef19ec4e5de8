import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.store.histogram import HIGHEST, LOWEST, bucket_of, percentiles

TIMES = st.floats(min_value=0.001, max_value=86_400_000)


@given(st.lists(TIMES, min_size=1, max_size=300))
def test_a_percentile_is_at_most_five_percent_off(times):
    told = percentiles(Counter(map(bucket_of, times)))
    for value, share in zip(told, (50, 95, 99), strict=True):
        exact = sorted(times)[math.ceil(len(times) * share / 100) - 1]
        assert abs(value - exact) <= 0.05 * exact


@given(st.lists(TIMES, min_size=1), st.lists(TIMES, min_size=1))
def test_histograms_that_are_added_tell_what_all_of_their_calls_tell(some, others):
    added = Counter(map(bucket_of, some)) + Counter(map(bucket_of, others))
    assert percentiles(added) == percentiles(Counter(map(bucket_of, some + others)))


def test_no_calls_have_no_percentiles():
    assert percentiles({}) is None


def test_times_that_no_clock_gives_count_at_the_ends():
    assert [bucket_of(t) for t in (0.0, -1.0, math.nan)] == [LOWEST] * 3
    assert bucket_of(math.inf) == bucket_of(1e300) == HIGHEST
