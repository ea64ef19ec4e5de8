"""Which of a provider's credentials a call gets. Reliability cases 92, 96."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.activation import ProviderCredential
from app.config.secret_files import FileSecret
from app.gateway.credential import MOST_MODELS, Credential, Marks, Refusal
from app.gateway.credential_pool import TRIAL_GAP, Pool
from app.gateway.parking import RAMP
from providers.types import RateLimits, Secret, Target

TARGET = Target(provider="acme", dialect="openai", base_url="https://api.acme.test/v1", model="large")
LIMITED = Refusal("rate_limited", 60.0, of_model=True)
REJECTED = Refusal("rejected", None, of_model=False)


class Room:
    """A pool, at a time that the test sets."""

    def __init__(self, *settings: ProviderCredential) -> None:
        self.now = 1000.0
        self.pool = Pool(lambda: 0.0)
        self.pool.configure(settings)

    def take(self, model: str = "large", tokens: int = 10) -> tuple[Credential, Marks] | None:
        """Take the first that may be used."""
        waiting = self.pool.candidates(model, tokens, self.now)
        if not waiting:
            return None
        self.pool.note_turn(waiting, self.now)
        credential = waiting[0].credential
        return credential, credential.take(model, tokens, self.now)

    def call(self, model: str = "large", tokens: int = 10) -> int | None:
        """Make a call that succeeds. Gives the place of its credential."""
        taken = self.take(model, tokens)
        if taken is None:
            return None
        credential, marks = taken
        credential.accept(marks, self.now)
        credential.release(marks)
        return credential.settings.position

    def fail(self, refusal: Refusal, model: str = "large") -> int:
        """Make a call that is refused."""
        taken = self.take(model)
        assert taken is not None
        credential, marks = taken
        credential.refuse(marks, refusal, self.now)
        credential.release(marks)
        return credential.settings.position

    def state(self, position: int) -> str:
        return {each.position: each.state for each in self.pool.standings("acme", self.now)}[position]


def keys(*weights: int) -> list[ProviderCredential]:
    return [ProviderCredential(Secret(f"sk-{at}"), at, weight) for at, weight in enumerate(weights)]


def test_case_96_shares_follow_the_weights() -> None:
    room = Room(*keys(1, 2, 3))
    counts = Counter(room.call() for _ in range(6_000))
    assert counts == {0: 1_000, 1: 2_000, 2: 3_000}


@given(st.lists(st.integers(1, 20), min_size=2, max_size=6))
def test_case_96_in_every_stretch_of_calls(weights: list[int]) -> None:
    """No credential is ever further from its share than the number of credentials."""
    room, counts = Room(*keys(*weights)), Counter[int | None]()
    for made in range(1, 201):
        counts[room.call()] += 1
        for at, weight in enumerate(weights):
            assert abs(counts[at] - made * weight / sum(weights)) <= len(weights)


def test_case_96_a_parked_one_gets_nothing_and_the_others_its_share() -> None:
    room = Room(*keys(1, 2, 3))
    first = room.fail(LIMITED)
    counts = Counter(room.call() for _ in range(3_000))
    assert counts[first] == 0
    weights = {at: at + 1 for at in range(3) if at != first}
    for at, weight in weights.items():
        assert counts[at] == pytest.approx(3_000 * weight / sum(weights.values()), rel=0.03)


def test_case_96_one_that_returns_is_tried_once_and_gets_its_share_by_and_by() -> None:
    room = Room(*keys(1, 1))
    gone = room.fail(LIMITED)
    room.now += 60.0
    trial, on_its_way = room.take(), [room.take() for _ in range(20)]
    assert trial is not None
    assert trial[0].settings.position == gone
    assert all(each and each[0].settings.position != gone for each in on_its_way), "one call tries it"
    trial[0].accept(trial[1], room.now)
    early = Counter(room.call() for _ in range(110))
    assert early[gone] == pytest.approx(10, abs=2)
    room.now += RAMP
    late = Counter(room.call() for _ in range(100))
    assert late[gone] == pytest.approx(50, abs=2)


def test_a_call_meets_one_trial_and_not_all_that_are_due() -> None:
    room = Room(*keys(1, 1, 1, 1))
    refused = {room.fail(REJECTED) for _ in range(3)}
    (good,) = {0, 1, 2, 3} - refused
    room.now += 3600.0
    assert room.fail(REJECTED) in refused
    assert room.call() == good
    room.now += TRIAL_GAP
    assert room.fail(REJECTED) in refused


@pytest.mark.parametrize("refusal", [LIMITED, Refusal("quota_exhausted", None, of_model=False), REJECTED])
def test_case_92_one_of_three_broken_is_out_alone(refusal: Refusal) -> None:
    room = Room(*keys(1, 1, 1))
    broken = room.fail(refusal)
    assert Counter(room.call() for _ in range(30)) == {at: 15 for at in range(3) if at != broken}
    assert [room.state(at) != "ready" for at in range(3)] == [at == broken for at in range(3)]


def test_case_92_a_model_that_is_full_keeps_nobody_from_another() -> None:
    room = Room(*keys(1))
    room.fail(LIMITED, "large")
    assert (room.call("large"), room.call("small")) == (None, 0)
    room.fail(Refusal("rejected", None, of_model=True), "small")
    assert (room.call("small"), room.call("tiny")) == (None, 0)
    room.fail(REJECTED, "tiny")
    assert room.call("anything") is None
    assert room.pool.wait("large", room.now) == 60.0
    assert (room.pool.is_refused("large"), room.pool.wait("tiny", room.now)) == (True, 10.0)


def test_a_credential_serves_the_models_of_its_patterns() -> None:
    large = ProviderCredential(Secret("sk-0"), 0, 1, ("large*",))
    room = Room(large, ProviderCredential(Secret("sk-1"), 1, 1, ("small", "large-2")))
    assert [room.call(model) for model in ("large-1", "small", "tiny")] == [0, 1, None]
    assert {room.call("large-2"), room.call("large-2")} == {0, 1}


def test_what_the_provider_says_is_full_goes_last() -> None:
    room = Room(*keys(1, 1))
    for _ in range(2):
        taken = room.take()
        assert taken is not None
        credential, marks = taken
        left = 25 if credential.settings.position == 0 else 1_000
        credential.learn("large", RateLimits(remaining_tokens=left, reset_tokens=30.0), room.now)
        credential.release(marks)
    calls = [room.call(tokens=10) for _ in range(20)]
    assert calls.count(0) == 2, "after two of ten tokens there are five left"
    assert not room.pool.is_short("large", 10, room.now)
    assert room.pool.is_short("large", 2_000, room.now)
    assert room.call(tokens=2_000) is not None, "what is said may be out of date: better that than nothing"
    assert not room.pool.is_short("small", 2_000, room.now), "of other models nothing was said"
    room.now += 30.0
    assert Counter(room.call() for _ in range(10)) == {0: 5, 1: 5}


def test_it_shows_how_each_stands() -> None:
    room = Room(*keys(1, 1))
    taken = room.take()
    assert taken is not None
    credential, marks = taken
    credential.learn("large", RateLimits(remaining_requests=7, reset_requests=30.0), room.now)
    credential.refuse(marks, LIMITED, room.now)
    shown = {each.position: each for each in room.pool.standings("acme", room.now)}
    mine = shown[credential.settings.position]
    assert (mine.state, mine.reason, mine.usable_in, mine.in_flight) == ("parked", "rate_limited", 60.0, 1)
    (model,) = mine.models
    assert (model.model, model.remaining_requests, model.remaining_tokens) == ("large", 7, None)
    other = shown[1 - credential.settings.position]
    assert (other.state, other.reason, other.usable_in, other.in_flight, other.models) == (
        "ready",
        None,
        0.0,
        0,
        (),
    )
    assert "sk-" not in repr(shown)


def test_a_reset_brings_all_back() -> None:
    room = Room(*keys(1, 1))
    room.fail(LIMITED)
    room.fail(REJECTED)
    assert room.call() is None
    room.pool.reset()
    assert {room.call(), room.call()} == {0, 1}


def test_a_changed_secret_is_another_credential(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-old")
    seconds = [0.0]
    room = Room(ProviderCredential(FileSecret(file, lambda: seconds[0])))
    late = room.take()
    assert late is not None
    assert late[0].used_for(TARGET).credential == Secret("sk-old")
    room.fail(REJECTED)
    assert room.call() is None
    (tmp_path / "new").write_text("sk-new")
    (tmp_path / "new").replace(file)
    seconds[0] += 1
    taken = room.take()
    assert taken is not None
    assert taken[0].used_for(TARGET).credential == Secret("sk-new")
    for refusal in (REJECTED, LIMITED):
        assert late[0].refuse(late[1], refusal, room.now) is None, "it speaks of the old one"
    assert room.state(0) == "ready"


def test_a_target_has_the_credential_as_it_is_now_and_is_made_once() -> None:
    secret = Secret("sk-0")
    credential = Credential(ProviderCredential(secret, 0, 1), lambda: 0.0)
    used = credential.used_for(TARGET)
    assert used.credential is not None
    assert (used.credential.reveal(), used.credential_position, used.model) == ("sk-0", 0, "large")
    assert credential.used_for(TARGET) is used
    # The same model, of another configuration.
    other = replace(TARGET, base_url="https://eu.acme.test/v1")
    assert credential.used_for(other).base_url == other.base_url
    assert credential.used_for(TARGET).base_url == TARGET.base_url
    credential.settings = ProviderCredential(secret, 3, 1)
    assert credential.used_for(TARGET).credential_position == 3
    for number in range(3 * MOST_MODELS):
        credential.used_for(replace(TARGET, model=f"made-up-{number}"))
    assert len(credential._used) <= MOST_MODELS


def test_another_configuration_keeps_what_is_known_of_the_same_secret() -> None:
    room = Room(*keys(1, 1))
    gone = room.fail(REJECTED)
    kept = ProviderCredential(Secret(f"sk-{gone}"), 5, 3, ("large",))
    room.pool.configure([ProviderCredential(Secret("sk-new"), 0), kept])
    assert (room.state(0), room.state(5)) == ("ready", "quarantined")
    assert room.call() == 0


def test_names_that_clients_make_up_are_not_kept_for_ever() -> None:
    room = Room(*keys(1))
    taken = room.take()
    assert taken is not None
    for number in range(3 * MOST_MODELS):
        taken[0].learn(f"model-{number}", RateLimits(remaining_requests=1), room.now)
    (standing,) = room.pool.standings("acme", room.now)
    assert len(standing.models) == MOST_MODELS
