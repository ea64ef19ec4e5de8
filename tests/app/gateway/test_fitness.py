"""Calls that a model is known not to take, and names that stand for a model at several providers."""

from __future__ import annotations

from typing import Any

import pytest

from app.auth.principal import Principal
from app.errors import BadRequest, NotFound, PermissionDenied
from app.gateway.balance import Ask
from app.gateway.fitness import Fitness, least_tokens, media
from app.gateway.forecast import Forecasts
from app.gateway.knowledge import Knowledge
from app.gateway.model_lists import ModelLists
from app.gateway.router import Router
from providers.facts import ModelFacts
from providers.types import Call, Operation
from tests.app.gateway.test_model_lists import made
from tests.app.gateway.test_router import ANYONE, models, provider

TEXT = frozenset({"text"})
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def knowing(lists: ModelLists | None = None, **stated: dict[str, ModelFacts]) -> Knowledge:
    published = {("b", "old"): 3_000}
    return Knowledge(stated, lists or made("a", "b")[0], lambda *name: published.get(name))


def ask(words: int = 1, *parts: Any, **fields: Any) -> Ask:
    content: Any = "word " * words
    if parts:
        content = [{"type": "text", "text": content}, *parts]
    call = Call(Operation.CHAT, "m", {"messages": [{"role": "user", "content": content}], **fields})
    return Ask(call, "key", Forecasts().of(call, "key"))


def test_only_what_is_surely_too_long_is_too_long() -> None:
    fits = Fitness(knowing(a={"small*": ModelFacts(4_000), "small-but-large": ModelFacts(9_000)}))
    assert fits.misfit("a", "small-one", ask(3_999)) is None
    found = fits.misfit("a", "small-one", ask(4_001))
    assert found is not None
    assert found.code == "context_length_exceeded"
    assert "4000 tokens" in found.reason
    assert fits.misfit("a", "small-but-large", ask(4_001)) is None
    # What has few words may have few tokens: base64, a long line of spaces.
    for text in ("x" * 100_000, " " * 100_000):
        assert fits.misfit("a", "small-one", ask(1, {"type": "text", "text": text})) is None
    # A window that is only published may have grown.
    assert fits.misfit("b", "old", ask(5_999)) is None
    assert fits.misfit("b", "old", ask(6_001)) is not None
    assert fits.misfit("b", "never-heard-of", ask(100_000)) is None


def test_the_providers_own_word_counts_before_what_is_published_and_the_configuration_before_both() -> None:
    lists, _, _ = made("b")
    fits = Fitness(knowing(lists))
    assert fits.misfit("b", "old", ask(6_001)) is not None
    lists.take("b", {"old": ModelFacts(50_000)}, 0.0, 0.0)
    assert fits.misfit("b", "old", ask(6_001)) is None
    lists.take("b", {"old": ModelFacts(2_500)}, 0.0, 0.0)
    assert fits.misfit("b", "old", ask(2_600)) is not None
    assert Fitness(knowing(lists, b={"old": ModelFacts(50_000)})).misfit("b", "old", ask(2_600)) is None


def test_pictures_and_sounds_go_to_models_that_take_them() -> None:
    fits = Fitness(knowing(a={"blind": ModelFacts(inputs=TEXT), "*": ModelFacts(inputs=TEXT | {"image"})}))
    sound = {"type": "input_audio", "input_audio": {}}
    found = fits.misfit("a", "blind", ask(1, PICTURE, sound))
    assert found is not None
    assert (found.code, found.reason) == ("unsupported_input", "takes no audio and no image")
    assert fits.misfit("a", "other", ask(1, PICTURE)) is None
    assert fits.misfit("a", "blind", ask(1)) is None
    assert fits.misfit("b", "unknown", ask(1, PICTURE, sound)) is None


def test_what_a_model_gives_must_be_what_is_asked_for() -> None:
    facts = {"embed": "embedding", "rank": "ranking", "draw": "image", "talk": "text"}
    fits = Fitness(knowing(a={name: ModelFacts(outputs=frozenset({word})) for name, word in facts.items()}))
    for operation, taken in (
        (Operation.CHAT, {"draw", "talk"}),
        (Operation.COMPLETIONS, {"draw", "talk"}),
        (Operation.EMBEDDINGS, {"embed"}),
        (Operation.IMAGE_GENERATION, {"draw"}),
        (Operation.RERANK, set(facts)),
    ):
        call = Call(operation, "m", {})
        asked = Ask(call, "key", Forecasts().of(call, "key"))
        found = {name: fits.misfit("a", name, asked) for name in facts}
        assert {name for name, misfit in found.items() if misfit is None} == taken, operation
        assert {misfit.code for misfit in found.values() if misfit} <= {"unsupported_output"}
        assert fits.misfit("b", "unknown", asked) is None
    router = Router([provider("a")], {}, fits=fits)
    with pytest.raises(BadRequest, match="a/embed: gives embedding") as caught:
        plan(router, "a/embed", ask())
    assert caught.value.param == "model"


def test_strange_bodies_are_measured_without_complaint() -> None:
    for messages in (None, 5, "x", [5], [{"content": 5}], [{"content": [5, {"type": []}, {"type": "text"}]}]):
        call = Call(Operation.CHAT, "m", {"messages": messages})
        assert media(call) == set()
        assert least_tokens(call) <= 10
    assert least_tokens(Call(Operation.EMBEDDINGS, "m", {"input": [[1, 2], [3, True]]})) == 3
    assert least_tokens(Call(Operation.COMPLETIONS, "m", {"prompt": ["a b", "c"]})) == 3


def routed(fallback: dict[str, list[str]] | None = None) -> Router:
    settings = models(
        m={"targets": ["a/small", "b/any"], "fallback": fallback or {}},
        lonely={"targets": ["a/small"], "fallback": fallback or {}},
    )
    known = knowing(a={"small": ModelFacts(4_000, inputs=TEXT), "large": ModelFacts(90_000)})
    return Router([provider("a"), provider("b")], settings, fits=Fitness(known))


def plan(router: Router, model: str, asked: Ask) -> list[str]:
    return [target.name for target in router.plan(model, Operation.CHAT, ANYONE, asked).targets]


def test_a_target_that_does_not_fit_is_passed_over() -> None:
    router = routed()
    assert plan(router, "m", ask(10)) == ["a/small", "b/any"]
    assert plan(router, "m", ask(5_000)) == ["b/any"]
    assert plan(router, "m", ask(1, PICTURE)) == ["b/any"]
    for asked, code in ((ask(5_000), "context_length_exceeded"), (ask(1, PICTURE), "unsupported_input")):
        with pytest.raises(BadRequest) as caught:
            plan(router, "lonely", asked)
        assert (caught.value.code, caught.value.param) == (code, "messages")
        assert "a/small" in caught.value.message
        with pytest.raises(BadRequest):
            plan(router, "a/small", asked)


def test_a_prompt_that_is_too_long_for_all_goes_the_way_that_is_meant_for_it() -> None:
    both = routed({"context_window": ["a/large"], "default": ["b/other"]})
    assert plan(both, "lonely", ask(5_000)) == ["a/large"]
    assert both.plan("lonely", Operation.CHAT, ANYONE, ask(5_000)).fallbacks.keys() == {"default"}
    assert plan(both, "lonely", ask(1, PICTURE)) == ["b/other"]
    assert plan(routed({"default": ["b/other"]}), "lonely", ask(5_000)) == ["b/other"]


NAMED = [
    *(provider("openrouter"), provider("anthropic", "claude-*"), provider("bedrock"), provider("x")),
    provider("vertex"),
]


def test_a_canonical_name_finds_the_model_at_each_provider() -> None:
    router = Router(NAMED, models(mine=["x/y"]))
    assert plan(router, "claude-sonnet-4-5", ask()) == [
        "anthropic/claude-sonnet-4-5",
        "openrouter/anthropic/claude-sonnet-4.5",
        "bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "vertex/claude-sonnet-4-5@20250929",
    ]
    assert plan(router, "x/claude-sonnet-4-5", ask()) == ["x/claude-sonnet-4-5"], "provider/model is exact"
    assert plan(Router(NAMED[2:3], {}), "claude-sonnet-4-5", ask()) == [
        "bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0"
    ]
    overruled = Router(NAMED, models(**{"claude-sonnet-4-5": ["x/y"]}))
    assert plan(overruled, "claude-sonnet-4-5", ask()) == ["x/y"]
    assert ("claude-sonnet-4-5", "switchgear") in router.names(ANYONE)
    limited = Principal("limited", models=("bedrock/*",))
    (only,) = router.plan("claude-sonnet-4-5", Operation.CHAT, limited).targets
    assert only.provider == "bedrock"
    assert router.behind("claude-sonnet-4-5", limited) == ("bedrock", (only.name,))
    with pytest.raises(PermissionDenied):
        router.plan("claude-sonnet-4-5", Operation.CHAT, Principal("none", models=("x/*",)))


def test_a_bare_name_finds_the_provider_that_lists_it() -> None:
    lists, _, _ = made("a", "b")
    router = Router([provider("a"), provider("b")], {}, listed=lists.of)
    with pytest.raises(NotFound):
        plan(router, "new-model", ask())
    lists.take("b", {"new-model": ModelFacts()}, 0.0, 0.0)
    assert plan(router, "new-model", ask()) == ["b/new-model"]
    assert router.names(ANYONE) == [("b/new-model", "b")]
