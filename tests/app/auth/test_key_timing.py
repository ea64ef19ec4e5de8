"""Case 29: how long a refusal takes says nothing about how near a guess was."""

from __future__ import annotations

import random
import statistics
import time
from contextlib import suppress

import pytest

from app.auth.authenticator import Authenticator
from app.auth.directory import Directory
from app.auth.keyring import KeyRing
from app.auth.presented import NotRecognised, digest
from app.auth.principal import Principal
from app.auth.tokens import Tokens
from app.config.models import Config

SAMPLES = 100_000
KEY = "sk-Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5"


@pytest.mark.slow
def test_case_29_a_near_miss_takes_as_long_as_a_far_one() -> None:
    ring = KeyRing([], lambda: 0.0)
    keys = [f"sk-{number:044d}" for number in range(10_000)]
    ring.replace_stored({digest(key.encode()): Principal("x") for key in (KEY, *keys)})
    authenticator = Authenticator(ring, Tokens((), {}, Directory(Config()), lambda: 0.0))
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    chance = random.Random(29)

    def guess(near: int) -> bytes:
        """Give a wrong key that has so many characters right."""
        return (KEY[:near] + "".join(chance.choices(alphabet, k=len(KEY) - near))).encode()

    nearness = (0, len(KEY) - 8)
    # Made before and tried in no order, so that making them leaves no trace in the times.
    guesses = [(near, guess(near)) for near in nearness for _ in range(SAMPLES)]
    chance.shuffle(guesses)
    guesses = [(near, bytes(bytearray(key))) for near, key in guesses]
    taken: dict[int, list[int]] = {near: [] for near in nearness}
    for near, key in guesses:
        begin = time.perf_counter_ns()
        with suppress(NotRecognised):
            authenticator.recognise(key)
        spent = time.perf_counter_ns() - begin
        taken[near].append(spent)
    # What the machine does beside it takes a thousand times longer, and comes by chance: it is cut to one bound.
    bound = sorted(each for some in taken.values() for each in some)[2 * SAMPLES * 9 // 10]
    far, close = ([min(each, bound) for each in some] for some in taken.values())
    spread = (statistics.variance(far) + statistics.variance(close)) / SAMPLES
    welch_t = (statistics.fmean(far) - statistics.fmean(close)) / spread**0.5
    assert abs(welch_t) < 4.5
