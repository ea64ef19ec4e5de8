"""Runs one scenario: its contenders side by side, its lanes in turn, round after round."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.contenders import CONTENDERS, PEERS, Place, Running, missing, within
from tests.bench.loads import Figures, Load, apply, calls_of
from tests.bench.scenarios import Aim, Scenario

IDLE = 0.05
"""Seconds of processor time in 0.2 s under which somebody counts as idle."""
PEERS_TAKE = 3
"""Times as long: some are so slow that a short round would see none of their calls end."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How long all takes."""

    rounds: int
    seconds: int
    """Of each lane in each round."""
    starts: int
    large_calls: int
    calls: int
    """Of the look at the memory's growth."""


PACES: Mapping[str, Pace] = {
    "quick": Pace(1, 1, 1, 500, 2_000),
    "usual": Pace(5, 2, 5, 5_000, 40_000),
    "full": Pace(7, 5, 9, 100_000, 1_000_000),
}


@dataclass
class Result:
    """What a scenario gave: medians by lane, and aims with the median of what the rounds say of them."""

    title: str
    lanes: dict[str, Figures] = field(default_factory=dict)
    aims: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def run(scenario: Scenario, place: Place, pace: Pace, say: Say) -> Result:
    """Measure what can be measured here."""
    absent = missing()
    result = Result(scenario.title)
    result.missing = {
        lane.contender: absent[lane.contender] for lane in scenario.lanes.values() if lane.contender in absent
    }
    lanes = {name: lane for name, lane in scenario.lanes.items() if lane.contender not in absent}
    rounds: list[dict[str, Figures]] = []
    with ExitStack() as stack:
        running = {
            contender: stack.enter_context(CONTENDERS[contender](within(place, contender)))
            for contender in dict.fromkeys(lane.contender for lane in lanes.values())
        }
        for contender, load in scenario.held.items():
            status = stack.enter_context(once(load, running[contender]))
            if status != 200:
                raise RuntimeError(f"the call to be held was answered {status}")
        for name, lane in list(lanes.items()):
            # Of a key that may make one call it is the second that is refused.
            for _ in range(2):
                with once(lane.load, running[lane.contender]) as status:
                    pass
            if (status == 200) == lane.load.refused:
                why = f"it answers {status} to {scenario.title.lower()}"
                if lane.contender not in PEERS:
                    raise RuntimeError(f"{name}: {why}")
                result.missing[f"{lane.contender} ({scenario.title.lower()})"] = why
                del lanes[name]
        for lane in lanes.values():
            apply(lane.load, running[lane.contender], 1, place.folder)
        for _ in range(pace.rounds):
            rounds.append({})
            for name, lane in lanes.items():
                come_to_rest(running[lane.contender])
                seconds = pace.seconds * (PEERS_TAKE if lane.contender in PEERS else 1)
                figures = apply(lane.load, running[lane.contender], seconds, place.folder)
                rounds[-1][name] = {
                    **figures,
                    "speed": 1e6 / figures["cpu"] if figures["cpu"] else 0.0,
                    "resident": running[lane.contender].server.resident(),
                }
            said = ", ".join(f"{name} {each['rate']:,.0f}/s" for name, each in rounds[-1].items())
            say(f"  {said}")
    for name in lanes:
        result.lanes[name] = medians([each[name] for each in rounds])
    judged = [judge(aim, rounds) for aim in scenario.aims if {aim.of, aim.over} <= lanes.keys()]
    result.aims = [aim for aim in judged if aim]
    return result


def come_to_rest(contender: Running) -> None:
    """Wait, for a while at most, until it has done with what the load before it left behind."""
    for _ in range(20):
        before = contender.server.cpu()
        time.sleep(0.2)
        if contender.server.cpu() - before < IDLE:
            return


def medians(runs: list[Figures]) -> Figures:
    """Give each figure's median; errors and calls are summed."""
    summed = ("errors", "calls")
    return {
        name: sum(each[name] for each in runs)
        if name in summed
        else statistics.median(each[name] for each in runs)
        for name in runs[0]
    }


def judge(aim: Aim, rounds: list[dict[str, Figures]]) -> dict[str, Any] | None:
    """Give an aim with what was measured: the median, the least and the most of the rounds."""
    pairs = [(each[aim.of][aim.figure], each[aim.over][aim.figure]) for each in rounds]
    # A round too short for a slow contender's first answer says nothing.
    found = [of - over if aim.how == "added" else of / over for of, over in pairs if of and over]
    if not found:
        return None
    spread = {"measured": statistics.median(found), "least": min(found), "most": max(found)}
    return {**asdict(aim), **spread}


@contextmanager
def once(load: Load, contender: Running) -> Iterator[int]:
    """Send one call, give its status, and leave its answer open for as long as the context is."""
    calls = calls_of(load, contender)
    headers = {name: value.replace("KEY", load.keys[0]) for name, value in calls["headers"].items()}
    connection = http.client.HTTPConnection("127.0.0.1", calls["port"], timeout=20)
    try:
        body = json.loads(calls["body"]) | {"model": calls["models"][0]}
        connection.request("POST", calls["path"], json.dumps(body, separators=(",", ":")), headers)
        yield connection.getresponse().status
    finally:
        connection.close()
