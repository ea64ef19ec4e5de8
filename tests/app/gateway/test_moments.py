"""Times of day in records."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from app.gateway.record import moment


def test_moments_are_written_as_the_standard_library_writes_them() -> None:
    dice = random.Random(4)
    edges = (0.0, 1_790_000_000.999_999_6, 1_700_000_000.123, 1_700_000_000.001, 1_709_164_799.9995)
    for seconds in (*edges, *(dice.randrange(4_000_000_000_000) / 1000 for _ in range(2000))):
        expected = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
        assert moment(seconds) == expected, seconds
