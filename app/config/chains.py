"""Do the public models lead to targets? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from app.config.problems import Path, did_you_mean

Finding = tuple[Path, str, str]
"""The path, what is wrong there, and what would be right."""


def findings(
    models: Mapping[str, Sequence[str]], names: Collection[str], providers: Collection[str]
) -> Iterator[Finding]:
    """Say what is wrong with the models; `names` are all public models, `providers` all that may be meant."""
    for name, chain in models.items():
        if "/" in name:
            hint = "such a name is always read as provider/model; choose one without `/`"
            yield ("models", name), "a public model's name holds a `/`", hint
        if not chain:
            yield ("models", name), "has no targets", "give at least one: [openai/gpt-4o-mini]"
        for index, target in enumerate(chain):
            if said := _fault_of_target(target, names, providers):
                yield ("models", name, index), *said
    for cycle in _cycles(models):
        yield (
            ("models", cycle[0]),
            f"leads back to itself: {' → '.join(cycle)}",
            "let one of them name targets alone",
        )


def _fault_of_target(
    target: str, names: Collection[str], providers: Collection[str]
) -> tuple[str, str] | None:
    provider, slash, model = target.partition("/")
    if not slash:
        if target in names:
            return None
        hint = did_you_mean(target, names) or f"a target is provider/model: `openai/{target}`"
        return f"there is no public model `{target}`", hint
    if not provider or not model:
        return f"`{target}` is no target", "write provider/model, such as `openai/gpt-4o-mini`"
    if provider in providers:
        return None
    hint = did_you_mean(provider, providers) or "name it under `providers` with its base_url"
    return f"there is no provider `{provider}`", hint


def _cycles(models: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Give every cycle once, from its first member in the order of the models."""
    done: set[str] = set()
    for start in models:
        yield from _from(start, models, [], done)


def _from(
    name: str, models: Mapping[str, Sequence[str]], way: list[str], done: set[str]
) -> Iterator[tuple[str, ...]]:
    if name in way:
        yield (*way[way.index(name) :], name)
        return
    if name in done:
        return
    for target in dict.fromkeys(models.get(name, ())):
        yield from _from(target, models, [*way, name], done)
    done.add(name)
