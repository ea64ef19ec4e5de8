"""When a second target is tried, as the configuration says it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.config.public_models import HedgeSettings


def model(text: str) -> str:
    return f"models: {{m: {{targets: [openai/x, openai/y], {text}}}}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hedge: null", None),
        ('hedge: ""', None),
        ("hedge: {}", HedgeSettings(after="p95", cap=Decimal("0.05"))),
        ("hedge: {after: p95, cap: 0.1}", HedgeSettings(after="p95", cap=Decimal("0.1"))),
        ("hedge: {after: 1500ms}", HedgeSettings(after=1.5, cap=Decimal("0.05"))),
    ],
)
def test_what_is_taken(loads, text: str, expected: HedgeSettings | None) -> None:
    config = loads(model(text), environ={"OPENAI_API_KEY": "o"}).config
    assert config.models["m"].hedge == expected
    assert config.hedges == ({"m": expected} if expected else {})


def test_it_is_written_as_it_is_read() -> None:
    assert HedgeSettings(after=1.5).model_dump(mode="json")["after"] == "1500ms"
    assert HedgeSettings().model_dump(mode="json")["after"] == "p95"


def test_the_models_whose_calls_are_shared(loads) -> None:
    config = loads(model("single_flight: true"), environ={"OPENAI_API_KEY": "o"}).config
    assert config.single_flight == {"m"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hedge: {after: 0s}", "hedge.after: a hedge after no time is a second call at once; write `p95`"),
        ("hedge: {after: p99}", "hedge.after: `p99` is no duration"),
        ("hedge: {after: 2}", "hedge.after: `2` has no unit"),
        ("hedge: {after: }", "hedge.after: must be a duration"),
        ("hedge: {cap: 0}", "hedge.cap: must be more than 0"),
        ("hedge: {cap: 5%}", "hedge.cap: `5%` is no share"),
        ("hedge: {cap: 2}", "hedge.cap: must be at most 1"),
        ("hedge: {max: 2}", "hedge.max: unknown key"),
        ("single_flight: yes", "single_flight: `yes` is neither true nor false"),
    ],
)
def test_what_is_refused(complaints, text: str, said: str) -> None:
    (line,) = complaints(model(text), environ={"OPENAI_API_KEY": "o"})
    assert said in line
