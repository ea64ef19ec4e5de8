"""What is measured: one table. A row's lanes take turns within each round, so that they see the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.bench.contenders import MANY_KEYS, MANY_MODELS, MANY_PROVIDERS, SPENT_KEY, WRONG_KEY
from tests.bench.loads import Load

MIB = 1 << 20


@dataclass(frozen=True)
class Aim:
    """A figure of one lane over, or beside, another's. The median of what the rounds give counts."""

    what: str
    of: str
    over: str
    figure: str
    """`cpu` and `rate` as in a run's figures; `speed` is calls a second of processor time."""
    how: Literal["times", "added"]
    bound: str


@dataclass(frozen=True)
class Lane:
    """One contender under one load."""

    contender: str
    load: Load


@dataclass(frozen=True)
class Scenario:
    """One row of the table. `prepared` calls are sent once and held open, before anything is measured."""

    title: str
    lanes: Mapping[str, Lane]
    aims: tuple[Aim, ...] = ()
    held: Mapping[str, Load] = field(default_factory=dict)


def side_by_side(load: Load, *contenders: str) -> dict[str, Lane]:
    return {name: Lane(name, load) for name in contenders}


def speed(of: str, over: str, bound: str, what: str = "calls per core") -> Aim:
    return Aim(f"{what}: {of} ÷ {over}", of, over, "speed", "times", bound)


def cost(of: str, over: str, bound: str) -> Aim:
    return Aim(f"CPU a call: {of} ÷ {over}", of, over, "cpu", "times", bound)


def added(of: str, figure: str, what: str, bound: str) -> Aim:
    return Aim(f"{what}: {of} over direct", of, "direct", figure, "added", bound)


WHOLE, REFUSED = Load(), Load(refused=True)
PIECE, EVENTS = Load("piece", stream=True), Load("events", stream=True)
AGAINST_PEERS = (speed("gateway", "LiteLLM", "≥ 45"), speed("gateway", "Portkey", "≥ 3"))
AGAINST_FLOOR = (
    speed("gateway", "floor", "≥ 0.75"),
    speed("governed", "gateway", "≥ 0.8"),
    speed("governed", "floor", "1.0 (stretch)"),
)
STREAMS = (speed("gateway", "floor", "≥ 0.75"), speed("gateway", "LiteLLM", "≥ 100"))

SCENARIOS: Mapping[str, Scenario] = {
    "whole-32": Scenario(
        "Whole answers, 32 connections",
        side_by_side(WHOLE, "floor", "gateway", "governed", "LiteLLM", "Portkey"),
        (*AGAINST_FLOOR, *AGAINST_PEERS),
    ),
    "whole-256": Scenario(
        "Whole answers, 256 connections",
        side_by_side(replace(WHOLE, connections=256), "floor", "gateway", "governed", "LiteLLM", "Portkey"),
        (*AGAINST_FLOOR, *AGAINST_PEERS),
    ),
    "streams-piece": Scenario(
        "Streams of 66 events, in one piece",
        side_by_side(PIECE, "floor", "gateway", "governed", "LiteLLM", "Portkey"),
        (*STREAMS, speed("governed", "gateway", "-")),
    ),
    "streams-events": Scenario(
        "Streams of 66 events, one at a time",
        side_by_side(EVENTS, "floor", "gateway", "LiteLLM", "Portkey"),
        STREAMS,
    ),
    "translated": Scenario(
        "Translated: an OpenAI client, Anthropic behind",
        {
            "passed through": Lane("gateway", WHOLE),
            "translated": Lane("gateway", Load("claude/claude")),
            "stream passed through": Lane("gateway", PIECE),
            "stream translated": Lane("gateway", Load("claude/claude", stream=True)),
        },
        (
            speed("translated", "passed through", "≥ 0.5"),
            speed("stream translated", "stream passed through", "≥ 0.5"),
        ),
    ),
    "latency": Scenario(
        "Latency at one connection",
        side_by_side(replace(WHOLE, connections=1), "direct", "floor", "gateway", "governed"),
        tuple(
            added(of, f"whole_{share}", f"added {share}", f"≤ {bound} ms")
            for of in ("gateway", "governed")
            for share, bound in (("p50", 0.5), ("p99", 2))
        ),
    ),
    "first-token": Scenario(
        "Time to the first token, one connection",
        side_by_side(replace(EVENTS, connections=1, timed=True), "direct", "floor", "gateway"),
        (
            added("gateway", "first_p50", "added p50", "-"),
            added("gateway", "first_p99", "added p99", "≤ 2 ms"),
        ),
    ),
    "open-streams": Scenario(
        "500 streams of 20 events a second: age of an event on its arrival",
        side_by_side(
            Load("endless", connections=500, stream=True, timed=True, endless=True),
            "direct",
            "floor",
            "gateway",
        ),
        (added("gateway", "age_p50", "added p50", "-"), added("gateway", "age_p99", "added p99", "≤ 5 ms")),
    ),
    "workers": Scenario(
        "Two workers with Valkey, 600 calls a second, on both cores",
        side_by_side(Load(rate=600), "one worker", "two workers"),
        (cost("two workers", "one worker", "≤ 1.15"),),
    ),
    "keys": Scenario(
        "10,000 keys in turn, each with a limit",
        {
            "1 key": Lane("governed", WHOLE),
            "10,000 keys": Lane("10,000 keys", replace(WHOLE, keys=MANY_KEYS)),
        },
        (cost("10,000 keys", "1 key", "flat"),),
    ),
    "providers": Scenario(
        "200 providers in turn",
        {
            "1 provider": Lane("gateway", WHOLE),
            "200 providers": Lane(
                "200 providers", replace(WHOLE, names=tuple(f"{name}/whole" for name in MANY_PROVIDERS))
            ),
        },
        (cost("200 providers", "1 provider", "flat"),),
    ),
    "models": Scenario(
        "1,000 models in turn",
        {
            "1 model": Lane("gateway", WHOLE),
            "1,000 models": Lane("1,000 models", replace(WHOLE, names=MANY_MODELS)),
        },
        (cost("1,000 models", "1 model", "flat"),),
    ),
    "connections": Scenario(
        "Connections, whole answers",
        {
            f"{number} connections": Lane("gateway", replace(WHOLE, connections=number))
            for number in (32, 256, 1000, 2000)
        },
        tuple(cost(f"{number} connections", "32 connections", "flat") for number in (256, 1000, 2000)),
    ),
    "large": Scenario(
        "Bodies of 1 MB",
        side_by_side(Load(prompt=1_000_000, connections=8), "floor", "gateway"),
        (cost("gateway", "floor", "≤ 3"),),
    ),
    "refusals": Scenario(
        "Refusals",
        {
            "bare 401": Lane("bare 401", REFUSED),
            "bad key": Lane("gateway", replace(REFUSED, keys=(WRONG_KEY,))),
            "over the limit": Lane("limited", replace(REFUSED, keys=(SPENT_KEY,))),
            "overloaded": Lane("full", REFUSED),
        },
        tuple(speed(of, "bare 401", "≥ 0.5") for of in ("bad key", "over the limit", "overloaded")),
        held={"full": Load("endless", stream=True, connections=1)},
    ),
}
