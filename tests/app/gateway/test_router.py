"""Which targets a model name leads to, and who may use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.auth.principal import Principal
from app.config.activation import ActiveProvider
from app.config.models import Timeouts
from app.config.public_models import ModelSettings
from app.errors import BadRequest, NotFound, PermissionDenied
from app.gateway.balance import IN_ORDER, Ask, Option
from app.gateway.router import Router
from providers.types import Call, Operation, Quirks

ANYONE = Principal("anyone")
CHAT, EMBEDDINGS = Operation.CHAT, Operation.EMBEDDINGS


def provider(
    name: str, *patterns: str, operations: frozenset[Operation] = frozenset(Operation)
) -> ActiveProvider:
    return ActiveProvider(
        name=name,
        dialect="openai",
        base_url=f"https://{name}.test/v1",
        credentials=(),
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


def models(**settings: Any) -> dict[str, ModelSettings]:
    return {name: ModelSettings.model_validate(given) for name, given in settings.items()}


ROUTER = Router(
    [
        provider("a", "gpt-*"),
        provider("b", "gpt-4*", "exact-one"),
        provider("talks", operations=frozenset({CHAT})),
    ],
    models(
        fast=["a/x", "b/y"],
        nested=["a/x", "deep", "b/y"],
        deep=["b/z", "a/x"],
        chat=["talks/m", "a/x"],
    ),
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
    router = Router([provider("a")], models(fast=["off/x", "a/y"], dark=["off/x"]))
    plan = router.plan("fast", CHAT, ANYONE)
    assert [target.name for target in plan.targets] == ["a/y"]
    assert plan.skipped == ("off/x: its provider is off",)
    with pytest.raises(BadRequest, match="its provider is off"):
        router.plan("dark", CHAT, ANYONE)
    assert ("off/x", "off") not in router.names(ANYONE)


# Fallbacks


def plan_of(router: Router, model: str, principal: Principal = ANYONE) -> dict[str, list[str]]:
    plan = router.plan(model, CHAT, principal)
    chains = {"": plan.targets, **plan.fallbacks}
    return {cause: [target.name for target in chain] for cause, chain in chains.items()}


FALLING = Router(
    [provider("a"), provider("b"), provider("talks", operations=frozenset({CHAT}))],
    models(
        smart={"targets": ["a/x"], "fallback": {"default": ["b/y", "spare"], "context_window": ["b/long"]}},
        spare={"targets": ["a/s", "b/s"], "fallback": ["a/last"]},
        dark={"targets": ["off/x"], "fallback": ["a/y"]},
    ),
)


def test_a_plan_holds_the_chains_and_models_in_them_bring_their_targets_alone() -> None:
    assert plan_of(FALLING, "smart") == {
        "": ["a/x"],
        "default": ["b/y", "a/s", "b/s"],
        "context_window": ["b/long"],
    }


def test_case_34_a_fallback_that_is_another_model_needs_its_own_permission() -> None:
    limited = Principal("p", models=("smart",))
    assert plan_of(FALLING, "smart", limited)["default"] == ["b/y"]
    assert FALLING.plan("smart", CHAT, limited).skipped == ("spare: this key may not use it",)
    with pytest.raises(PermissionDenied):
        FALLING.plan("spare", CHAT, limited)
    assert plan_of(FALLING, "smart", Principal("p", models=("smart", "spare")))["default"][1:] == [
        "a/s",
        "b/s",
    ]


def test_where_no_target_is_left_the_default_chain_is_the_plan() -> None:
    assert plan_of(FALLING, "dark") == {"": ["a/y"]}


def test_every_target_that_may_be_tried_is_told_once() -> None:
    plan = FALLING.plan("smart", CHAT, ANYONE)
    assert [target.name for target in plan.every] == ["a/x", "b/y", "a/s", "b/s", "b/long"]


# Regions


REGIONS = Router(
    [replace(provider("eu"), region="eu"), replace(provider("us"), region="us"), provider("nowhere")],
    models(
        both=["us/x", "eu/x", "nowhere/x"],
        far={"targets": ["us/x"], "fallback": ["nowhere/x", "us/y"]},
        near={"targets": ["us/x"], "fallback": ["eu/y"]},
    ),
)
EUROPEAN = Principal("p", regions=("eu",))


def test_a_key_of_a_region_uses_its_targets_alone() -> None:
    plan = REGIONS.plan("both", CHAT, EUROPEAN)
    assert [target.name for target in plan.targets] == ["eu/x"]
    assert plan.skipped == (
        "us/x: is in no region that this key may use",
        "nowhere/x: is in no region that this key may use",
    )
    assert plan_of(REGIONS, "near", EUROPEAN) == {"": ["eu/y"]}
    assert len(REGIONS.plan("both", CHAT, ANYONE).targets) == 3


@pytest.mark.parametrize("model", ["far", "us/x", "nowhere/x"])
def test_where_its_regions_serve_nothing_a_key_is_refused(model: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        REGIONS.plan(model, CHAT, EUROPEAN)
    assert (caught.value.http_status, caught.value.code) == (403, "region_not_allowed")


# The order within


def reversing() -> Any:
    class Reversing:
        def order(self, given: Sequence[Option], _ask: Ask) -> Sequence[Option]:
            return given[::-1]

        def why(self, option: Option, _ask: Ask) -> str:
            return f"weight {option.weight}"

    return Reversing()


def test_a_model_within_a_model_keeps_its_own_order_in_its_place() -> None:
    settings = models(
        outer={"targets": ["a/1", {"target": "inner", "weight": 2}, "b/1"], "balance": "weighted"},
        inner=["a/2", "b/2"],
    )
    router = Router(
        [provider("a"), provider("b")],
        settings,
        lambda given: reversing() if given.balance == "weighted" else IN_ORDER,
    )
    ask = Ask(Call(CHAT, "outer", {}), "key", reasons={})
    plan = router.plan("outer", CHAT, ANYONE, ask)
    assert [target.name for target in plan.targets] == ["b/1", "a/2", "b/2", "a/1"]
    assert plan.reasons["b/1"] == "weight 1"
    assert plan.reasons["a/2"] == "weight 2; in inner: as listed"


def test_a_model_s_own_times_lie_over_its_providers() -> None:
    router = Router(
        [replace(provider("a"), timeouts=Timeouts(idle=7.0))],
        models(quick={"targets": ["a/x"], "timeouts": {"first_event": "2s"}}, plain=["a/x"]),
    )
    times = router.plan("quick", CHAT, ANYONE).timeouts["a"]
    assert (times.first_event, times.idle, times.connect) == (2.0, 7.0, 5.0)
    assert not router.plan("plain", CHAT, ANYONE).timeouts


def test_a_target_is_made_once_but_no_long_name_is_kept() -> None:
    def made(name: str) -> Any:
        return ROUTER.plan(name, CHAT, ANYONE).targets[0]

    assert made("a/any") is made("a/any")
    assert made("a/any") is not made("b/any")
    long = "a/" + "x" * 100_000
    assert made(long).model == long[2:]
    assert made(long) is not made(long)
