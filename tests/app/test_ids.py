"""Ids: unlike each other, and seldom asked of the system."""

from __future__ import annotations

import os

from app.telemetry.ids import Ids


def test_ids_are_unlike_each_other_and_drawn_many_at_once():
    draws = []

    def draw(size: int) -> bytes:
        draws.append(size)
        return os.urandom(size)

    ids = Ids(draw)
    given = {ids() for _ in range(1_000)}
    assert len(given) == 1_000
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in given)
    assert len(draws) < 10
