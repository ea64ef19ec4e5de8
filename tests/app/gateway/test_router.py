"""Which targets a model name leads to, and who may use them."""

from __future__ import annotations

import pytest

from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.config.models import Timeouts
from app.errors import BadRequest, NotFound, PermissionDenied
from app.gateway.router import Router
from providers.types import Operation, Quirks

ANYONE = Principal("anyone")
CHAT, EMBEDDINGS = Operation.CHAT, Operation.EMBEDDINGS


def provider(
    name: str, *patterns: str, operations: frozenset[Operation] = frozenset(Operation)
) -> ActiveProvider:
    return ActiveProvider(
        name=name,
        dialect="openai",
        base_url=f"https://{name}.test/v1",
        credential=None,
        timeouts=Timeouts(),
        quirks=Quirks(),
        rename={},
        drop=frozenset(),
        headers={},
        max_tokens=None,
        patterns=patterns,
        example="",
        allow_private=False,
        transport="http",
        operations=operations,
    )


ROUTER = Router(
    [
        provider("a", "gpt-*"),
        provider("b", "gpt-4*", "exact-one"),
        provider("talks", operations=frozenset({CHAT})),
    ],
    {
        "fast": ["a/x", "b/y"],
        "nested": ["a/x", "deep", "b/y"],
        "deep": ["b/z", "a/x"],
        "chat": ["talks/m", "a/x"],
    },
)


def targets(model: str, principal: Principal = ANYONE, operation: Operation = CHAT) -> list[str]:
    return [target.name for target in ROUTER.plan(model, operation, principal).targets]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("a/x", ["a/x"]),
        ("a/vendor/model", ["a/vendor/model"]),
        ("fast", ["a/x", "b/y"]),
        ("nested", ["a/x", "b/z", "b/y"]),
        ("gpt-4o", ["a/gpt-4o"]),
        ("exact-one", ["b/exact-one"]),
    ],
)
def test_a_name_leads_to_its_targets(model: str, expected: list[str]) -> None:
    assert targets(model) == expected


def test_the_only_provider_takes_any_bare_name_even_one_with_a_slash() -> None:
    router = Router([provider("only")], {})
    for model in ("anything", "meta/llama-3"):
        (target,) = router.plan(model, CHAT, ANYONE).targets
        assert target.name == f"only/{model}"


def test_an_unknown_name_is_not_found_and_the_nearest_are_named() -> None:
    with pytest.raises(NotFound) as caught:
        targets("fsat")
    assert caught.value.code == "model_not_found"
    assert "`fast`" in caught.value.message


def test_nearest_names_are_only_those_that_the_key_may_use() -> None:
    with pytest.raises(NotFound) as caught:
        targets("fsat", Principal("p", models=("deep",)))
    assert "fast" not in caught.value.message


@pytest.mark.parametrize("model", ["b/y", "b/other", "deep", "gpt-4o"])
def test_a_limited_key_reaches_nothing_else(model: str) -> None:
    with pytest.raises(PermissionDenied):
        targets(model, Principal("p", models=("fast",)))


def test_a_limited_key_uses_its_chain_whole() -> None:
    assert targets("fast", Principal("p", models=("fast",))) == ["a/x", "b/y"]


def test_a_chain_within_a_chain_needs_its_own_permission() -> None:
    plan = ROUTER.plan("nested", CHAT, Principal("p", models=("nested",)))
    assert [target.name for target in plan.targets] == ["a/x", "b/y"]
    assert plan.skipped == ("deep: this key may not use it",)


def test_a_key_limited_to_a_target_may_use_the_bare_name_that_leads_to_it() -> None:
    assert targets("gpt-4o", Principal("p", models=("a/gpt-*",))) == ["a/gpt-4o"]


def test_a_provider_that_does_not_serve_the_operation_is_skipped() -> None:
    assert targets("chat", operation=EMBEDDINGS) == ["a/x"]
    with pytest.raises(BadRequest) as caught:
        targets("talks/m", operation=EMBEDDINGS)
    assert caught.value.code == "unsupported_operation"


def test_listed_models_are_those_that_can_be_called() -> None:
    names = [name for name, _ in ROUTER.names(ANYONE)]
    assert names == ["fast", "nested", "deep", "chat", "a/x", "b/y", "b/z", "talks/m", "b/exact-one"]
    for name in names:
        assert targets(name)
    assert [name for name, _ in ROUTER.names(Principal("p", models=("a/*",)))] == ["a/x"]


def test_a_target_whose_provider_is_off_is_skipped() -> None:
    router = Router([provider("a")], {"fast": ["off/x", "a/y"], "dark": ["off/x"]})
    plan = router.plan("fast", CHAT, ANYONE)
    assert [target.name for target in plan.targets] == ["a/y"]
    assert plan.skipped == ("off/x: its provider is off",)
    with pytest.raises(BadRequest, match="its provider is off"):
        router.plan("dark", CHAT, ANYONE)
    assert ("off/x", "off") not in router.names(ANYONE)
