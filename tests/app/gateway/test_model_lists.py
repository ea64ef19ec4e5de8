"""What is noticed about the models that providers list, and when they are asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import structlog

from app.gateway.model_lists import SOONEST_AGAIN, TOLD, ModelLists
from providers.facts import NOTHING, ModelFacts
from tests.app.gateway.test_router import provider

HOUR = 3600.0


class Counts(Counter[tuple[str, str]]):
    def count_model_change(self, provider: str, change: str, number: int) -> None:
        self[provider, change] += number

    def count_list_refresh(self, provider: str, result: str) -> None:
        self[provider, result] += 1


def made(*names: str, every: float = HOUR) -> tuple[ModelLists, Counts, structlog.testing.CapturingLogger]:
    log, counts = structlog.testing.CapturingLogger(), Counts()
    lists = ModelLists(log, counts, lambda: 0.5)
    lists.configure([provider(name) for name in names], every, 0.0)
    return lists, counts, log


def models(**facts: ModelFacts) -> dict[str, ModelFacts]:
    return facts


def test_models_that_come_go_and_change_are_noticed_once() -> None:
    lists, counts, log = made("a")
    lists.take("a", models(x=NOTHING, y=ModelFacts(8192)), 1.0, 100.0)
    assert (dict(counts), log.calls) == ({("a", "good"): 1}, []), "the first list is no news"
    version = lists.version
    lists.take("a", models(x=NOTHING, y=ModelFacts(8192)), 2.0, 101.0)
    assert lists.version == version
    lists.take("a", models(y=ModelFacts(4096), z=NOTHING), 3.0, 102.0)
    assert lists.version > version
    assert counts == {("a", "good"): 3, ("a", "gone"): 1, ("a", "changed"): 1, ("a", "appeared"): 1}
    told = {call.args[0]: call.kwargs["models"] for call in log.calls}
    assert told == {"models_appeared": ["z"], "models_gone": ["x"], "models_changed": ["y"]}
    (standing,) = lists.standings()
    assert (standing.models, standing.fetched, standing.gone) == (2, 102.0, ("x",))
    lists.take("a", models(x=NOTHING, y=ModelFacts(4096), z=NOTHING), 4.0, 103.0)
    assert next(lists.standings()).gone == ()


def test_what_a_list_does_not_name_is_gone_where_it_names_all() -> None:
    lists, _, _ = made("a")
    lists.configure([provider("a"), replace(provider("v"), dialect="vertex")], HOUR, 0.0)
    assert [lists.names(name, "x") for name in ("a", "v", "nobody")] == [None, None, None]
    for name in ("a", "v"):
        lists.take(name, models(x=NOTHING), 1.0, 100.0)
    told = [[lists.names(name, model) for model in ("x", "y")] for name in ("a", "v")]
    assert told == [[True, False], [True, None]]


def test_a_provider_that_is_down_keeps_its_list_and_is_asked_ever_less() -> None:
    lists, counts, log = made("a")
    lists.take("a", models(x=NOTHING), 0.0, 100.0)
    now, waits = 10_000.0, []
    for _ in range(10):
        lists.fail("a", "Unreachable", now)
        wait = lists.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
    assert waits[0] == pytest.approx(SOONEST_AGAIN * 1.1)
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(HOUR * 1.1)
    assert lists.of("a") == models(x=NOTHING)
    assert counts["a", "failed"] == 10
    assert len(log.calls) == 1, "it is told of once"
    assert next(lists.standings()).failure == "Unreachable"
    assert lists.due(now) == [(provider("a"), 10)]
    lists.take("a", models(x=NOTHING), now, 200.0)
    assert next(lists.standings()).failure is None
    # A list that is suddenly empty is no list.
    lists.take("a", {}, now, 201.0)
    assert lists.of("a") == models(x=NOTHING)
    assert next(lists.standings()).failure == "empty"


def test_who_is_asked_and_when() -> None:
    lists, _, _ = made("a", "b")
    assert lists.wait(0.0) == 2.5, "not all gateways at once, and not at the start"
    assert lists.due(0.0) == []
    assert [each.name for each, _ in lists.due(2.5)] == ["a", "b"]
    lists.take("a", models(x=NOTHING), 2.5, 0.0)
    assert [each.name for each, _ in lists.due(2.5)] == ["b"]
    # Another configuration: `a` keeps its list, `b` is at another address, `c` is new, `e` cannot be asked.
    elsewhere = replace(provider("b"), base_url="https://other.test/v1")
    embedded = replace(provider("e"), transport="embedded")
    lists.configure([provider("a"), elsewhere, provider("c"), embedded], HOUR, 3.0)
    assert lists.of("a") == models(x=NOTHING)
    assert [each.provider for each in lists.standings()] == ["a", "b", "c"]
    lists.configure([provider("a")], 0.0, 4.0)
    assert (lists.wait(5.0), lists.of("a")) == (None, {})
    # Answers that come late, for a provider that is off by now.
    lists.take("a", models(x=NOTHING), 5.0, 0.0)
    lists.fail("a", "Unreachable", 5.0)
    assert lists.of("a") == {}


def test_what_is_kept_and_told_is_bounded() -> None:
    lists, _, log = made("a")
    lists.take("a", {"left": NOTHING, **{f"m{n:03}": NOTHING for n in range(500)}}, 0.0, 0.0)
    lists.take("a", models(left=NOTHING), 1.0, 1.0)
    assert len(next(lists.standings()).gone) == TOLD
    ((told,),) = ([call.kwargs for call in log.calls],)
    assert (told["count"], len(told["models"])) == (500, TOLD)
