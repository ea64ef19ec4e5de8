"""What is reserved for a call before anybody knows what it will use."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits.ask import Amounts, Limit, Refusal
from app.limits.estimate import (
    DEFAULT_OUTPUT,
    MEDIA_TOKENS,
    MOST_PAIRS,
    WARM,
    OutputEstimates,
    input_estimate,
)
from app.limits.kinds import LimitKind
from app.limits.latest import SAMPLES
from app.limits.memory import Hold, MemoryLimits
from providers.types import Call, JsonObject, Operation

AGENT_CAP = 64_000


def learned(*outputs: int) -> OutputEstimates:
    estimates = OutputEstimates()
    for output in outputs:
        estimates.learn("ci", "fast", output)
    return estimates


def test_a_pair_that_nobody_knows_gets_the_default() -> None:
    assert OutputEstimates().expect("ci", "fast", None) == DEFAULT_OUTPUT
    assert learned(*[3] * (WARM - 1)).expect("ci", "fast", None) == DEFAULT_OUTPUT
    assert learned(*[3] * WARM).expect("ci", "other", None) == DEFAULT_OUTPUT
    assert learned(*[3] * WARM).expect("other", "fast", None) == DEFAULT_OUTPUT


@pytest.mark.parametrize(("cap", "expected"), [(None, 800), (64_000, 800), (800, 800), (16, 16), (0, 0)])
def test_the_cap_bounds_what_was_learned(cap: int | None, expected: int) -> None:
    assert learned(*[800] * WARM).expect("ci", "fast", cap) == expected


def test_the_cap_bounds_the_default() -> None:
    assert OutputEstimates().expect("ci", "fast", 5) == 5


@given(st.lists(st.integers(0, 10**6), min_size=WARM, max_size=4 * SAMPLES))
def test_the_estimate_covers_95_of_100_of_the_latest_outputs_and_no_more(outputs: list[int]) -> None:
    expected = learned(*outputs).expect("ci", "fast", None)
    latest = outputs[-SAMPLES:]
    assert sum(output <= expected for output in latest) >= 0.95 * len(latest)
    assert sum(output < expected for output in latest) < 0.95 * len(latest)


def test_old_habits_are_forgotten() -> None:
    assert learned(*[50_000] * 1_000, *[100] * SAMPLES).expect("ci", "fast", None) == 100


def test_memory_is_bounded_and_the_pair_in_use_stays() -> None:
    estimates = learned(*[800] * WARM)
    for stranger in range(3 * MOST_PAIRS):
        estimates.learn(f"key-{stranger}", "fast", 1)
        if stranger % 1_000 == 0:
            estimates.learn("ci", "fast", 800)
    assert len(estimates) == MOST_PAIRS
    assert estimates.expect("ci", "fast", None) == 800


def test_a_pair_takes_a_few_kibibytes_at_most() -> None:
    outputs = [random.Random(1).randint(300, 60_000) for _ in range(4 * SAMPLES)]
    tracemalloc.start()
    estimates = OutputEstimates()
    for pair in range(100):
        for output in outputs:
            estimates.learn(str(pair), "fast", output)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown / 100 < 4_096


class AgentTraffic:
    """Calls that allow 64,000 tokens of output and make about 800, at seven tenths of what the limit allows."""

    WARM_UP, CALLS, CAPACITY = 300, 5_000, 400_000

    def __init__(self, *, learn: bool, seed: int) -> None:
        self.draw = random.Random(seed)
        self.limits, self.estimates, self.learn = MemoryLimits(), OutputEstimates(), learn
        self.limit = Limit("key:agent", LimitKind.TPM, self.CAPACITY)
        self.running: list[tuple[float, Hold, Amounts]] = []
        self.admitted: list[tuple[float, int]] = []
        self.false_refusals = 0

    def run(self) -> float:
        """The share of calls that were refused though what was really used left room for them."""
        now = 0.0
        for number in range(self.WARM_UP + self.CALLS):
            now += self.draw.expovariate(0.7 * self.CAPACITY / 60 / 2_300)
            self.settle_until(now)
            if number == self.WARM_UP:
                self.false_refusals = 0
            self.call(now)
        return self.false_refusals / self.CALLS

    def call(self, now: float) -> None:
        real = Amounts(
            1, self.draw.randint(500, 2_500), min(AGENT_CAP, int(self.draw.lognormvariate(6.5, 0.6)))
        )
        expected = self.estimates.expect("agent", "fast", AGENT_CAP) if self.learn else AGENT_CAP
        answer = self.limits.take([self.limit], Amounts(1, real.input_tokens, expected), now)
        self.admitted = [each for each in self.admitted if each[0] > now - 60]
        if isinstance(answer, Hold):
            self.running.append((now + 2 + real.output_tokens / 80, answer, real))
            self.admitted.append((now, real.tokens))
        elif sum(tokens for _, tokens in self.admitted) + real.tokens <= self.CAPACITY:
            self.false_refusals += 1

    def settle_until(self, now: float) -> None:
        for end, hold, real in self.running:
            if end <= now:
                hold.settle(real, end)
                self.estimates.learn("agent", "fast", real.output_tokens)
        self.running = [each for each in self.running if each[0] > now]


@pytest.mark.parametrize("seed", range(3))
def test_agents_are_hardly_ever_refused_for_tokens_that_nobody_uses(seed: int) -> None:
    assert AgentTraffic(learn=True, seed=seed).run() < 0.01


def test_agents_would_be_refused_if_their_caps_were_reserved() -> None:
    assert AgentTraffic(learn=False, seed=0).run() > 0.25


def test_what_an_estimate_lacked_is_paid_back() -> None:
    limits, limit = MemoryLimits(), Limit("key:ci", LimitKind.OTPM, 1_000)
    hold = limits.take([limit], Amounts(1, 0, OutputEstimates().expect("ci", "fast", AGENT_CAP)), 0.0)
    assert isinstance(hold, Hold)
    hold.settle(Amounts(1, 0, 20_000), 5.0)
    assert isinstance(limits.take([limit], Amounts(1, 0, 1), 59.9), Refusal)
    assert isinstance(limits.take([limit], Amounts(1, 0, 1), 60.1), Hold)


def estimate(body: JsonObject) -> int:
    return input_estimate(Call(Operation.CHAT, "fast", body))


def user(content: object) -> JsonObject:
    return {"messages": [{"role": "user", "content": content}]}


def test_text_is_estimated_by_its_bytes() -> None:
    assert estimate(user("word " * 4_000)) == pytest.approx(5_000, rel=0.01)
    assert estimate(user("語" * 4_000)) == pytest.approx(3_000, rel=0.01)


def test_a_message_costs_a_little_even_if_it_says_nothing() -> None:
    assert 1 <= estimate(user("")) <= 10
    assert estimate({"messages": []}) <= 1


def test_a_picture_is_not_counted_by_the_bytes_of_its_base64() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    few = estimate(user([{"type": "text", "text": "what is this?"}]))
    assert (
        estimate(user([{"type": "text", "text": "what is this?"}, picture, picture]))
        == few + 2 * MEDIA_TOKENS
    )


def test_tools_count_and_settings_do_not() -> None:
    tool = {"type": "function", "function": {"name": "look_up", "description": "d" * 400, "parameters": {}}}
    assert estimate({**user("hi"), "tools": [tool]}) > estimate(user("hi")) + 100
    assert estimate({**user("hi"), "user": "u" * 400, "max_tokens": 5}) == estimate(user("hi"))


@pytest.mark.parametrize("field", ["prompt", "input"])
def test_prompts_and_inputs_count_as_text_and_as_token_ids(field: str) -> None:
    assert estimate({field: "a" * 400}) == 100
    assert estimate({field: ["a" * 200, "a" * 200]}) == 100
    assert estimate({field: [17] * 300}) == 300
    assert estimate({field: [[17] * 100, [4] * 50]}) == 150


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["messages", "tools", "prompt", "input", "functions"]), JSON))
def test_no_body_is_too_odd_to_be_estimated(body: JsonObject) -> None:
    assert estimate(body) >= 0


def test_depth_and_lone_surrogates_do_no_harm() -> None:
    deep: object = "\ud800"
    for _ in range(5_000):
        deep = [deep]
    assert estimate(user(deep)) > 0
