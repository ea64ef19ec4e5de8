"""Histograms of milliseconds in buckets that grow: what a percentile is told from, ≤ 5 % off. Pure.

Bucket i holds g**i ≤ t < g**(i+1) with g = 1.1. Its middle, 2 g**(i+1) / (g+1), is off by at most
(g-1) / (g+1) = 4.8 % (DDSketch, https://arxiv.org/abs/1908.10693). Counts of buckets are merged by adding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

GROWTH = 1.1
LOWEST, HIGHEST = -73, 240
"""Buckets of a microsecond, and of a hundred days. What lies beyond counts in these."""

_LOG = math.log(GROWTH)


class Percentiles(NamedTuple):
    """Milliseconds within which this share of the calls was done."""

    p50: float
    p95: float
    p99: float


def bucket_of(milliseconds: float) -> int:
    """Give the bucket that a time counts in. Total."""
    if not milliseconds > 0:
        return LOWEST
    if math.isinf(milliseconds):
        return HIGHEST
    return min(max(math.floor(math.log(milliseconds) / _LOG), LOWEST), HIGHEST)


def percentiles(counts: Mapping[int, int]) -> Percentiles | None:
    """Tell the percentiles, by nearest rank, of calls counted by bucket; None of no calls."""
    total = sum(counts.values())
    if not total:
        return None
    return Percentiles(*(_value(counts, -(-total * share // 100)) for share in (50, 95, 99)))


def _value(counts: Mapping[int, int], rank: int) -> float:
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return 2 * GROWTH ** (bucket + 1) / (GROWTH + 1)
    raise ValueError(f"there is no call number {rank}")
