"""The benchmark measures what it says it does: its table, its arithmetic, and one scenario in small."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from tests.bench import rounds
from tests.bench.contenders import CONTENDERS, KEY, MODELS, WRONG_KEY, place_in
from tests.bench.loads import Load
from tests.bench.report import render
from tests.bench.scenarios import SCENARIOS, Aim, Lane, Scenario, added, speed
from tests.harness.gateway import ROOT
from tests.load.closed_loop import requests_of

TINY = rounds.Pace(rounds=1, seconds=3, starts=1, large_calls=1, calls=1)


def test_every_row_of_the_table_can_be_measured() -> None:
    for name, scenario in SCENARIOS.items():
        for lane in scenario.lanes.values():
            assert lane.contender in CONTENDERS, name
            model = lane.load.model
            assert "/" in model or model in {*MODELS, "endless"} or lane.load.names, (name, model)
        for aim in scenario.aims:
            assert {aim.of, aim.over} <= scenario.lanes.keys(), (name, aim)
        assert scenario.held.keys() <= {lane.contender for lane in scenario.lanes.values()}, name


def test_aims_are_judged_round_by_round() -> None:
    """The machine was half as fast in the second round: ratios of medians would not see that both were."""
    seen = [{"a": {"speed": 80.0}, "b": {"speed": 100.0}}, {"a": {"speed": 40.0}, "b": {"speed": 50.0}}]
    judged = rounds.judge(speed("a", "b", "≥ 0.75"), [*seen, {"a": {"speed": 0.0}, "b": {"speed": 60.0}}])
    assert judged is not None
    assert (judged["measured"], judged["least"], judged["most"]) == (0.8, 0.8, 0.8)
    late = [{"gateway": {"age_p99": 7.0}, "direct": {"age_p99": 4.5}}]
    judged = rounds.judge(added("gateway", "age_p99", "p99", "≤ 5 ms"), late)
    assert judged is not None
    assert judged["measured"] == 2.5
    assert rounds.judge(Aim("", "a", "b", "speed", "times", ""), [seen[0] | {"b": {"speed": 0.0}}]) is None


def test_keys_and_models_take_turns() -> None:
    calls = {"port": 1, "path": "/p", "headers": {"authorization": "Bearer KEY"}, "keys": ["k1", "k2"]}
    first, second, third = requests_of({**calls, "models": ["a", "b", "c"], "body": '{"model":"MODEL"}'})
    assert b"Bearer k1\r\n" in first
    assert first.endswith(b'\r\ncontent-length: 13\r\n\r\n{"model":"a"}')
    assert b"Bearer k2\r\n" in second
    assert second.endswith(b'{"model":"b"}')
    assert b"Bearer k1\r\n" in third
    assert third.endswith(b'{"model":"c"}')


def test_the_locust_file_asks_for_nothing_but_locust() -> None:
    """Locust is not installed here, so it is read and not run."""
    tree = ast.parse((ROOT / "tests" / "load" / "locustfile.py").read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in modules if importlib.util.find_spec(name) is None} <= {"locust"}
    users = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    bases = {base.id for user in users for base in user.bases if isinstance(base, ast.Name)}
    assert bases == {"HttpUser"}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_scenario_in_small(tmp_path: Path) -> None:
    lanes = {
        "direct": Lane("direct", Load(connections=2)),
        "gateway": Lane("gateway", Load(connections=2)),
        "one at a time": Lane("gateway", Load("events", stream=True, connections=2)),
        "translated": Lane("gateway", Load("claude/claude", stream=True, connections=2)),
        "first": Lane("gateway", Load("piece", stream=True, connections=1, timed=True)),
        "endless": Lane("gateway", Load("endless", stream=True, connections=2, timed=True, endless=True)),
        "steady": Lane("gateway", Load(rate=20)),
        "refused": Lane("gateway", Load(connections=2, keys=(WRONG_KEY,), refused=True)),
    }
    scenario = Scenario("In small", lanes, (speed("gateway", "direct", "-"),))
    with place_in(tmp_path) as place:
        result = rounds.run(scenario, place, TINY, print)
    for name, figures in result.lanes.items():
        assert figures["calls"] > 0, name
        assert figures["errors"] == 0, name
    assert result.lanes["first"]["first_p50"] <= result.lanes["first"]["whole_p50"]
    assert result.lanes["endless"]["age_p50"] > 0
    assert len(result.aims) == 1
    results = {"small": {"title": result.title, "lanes": result.lanes, "aims": result.aims}}
    report = render({"surroundings": {"Date": "today"}, "results": results, "not measured": {"x": "y"}})
    assert "| In small | calls per core: gateway ÷ direct | - |" in report
    assert KEY not in report
