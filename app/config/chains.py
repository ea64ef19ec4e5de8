"""Do the public models lead to targets? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from app.config.problems import Path, did_you_mean

Finding = tuple[Path, str, str]
"""The path, what is wrong there, and what would be right."""


DEEPEST = 16
"""Models that a chain may lead through, itself included."""
MOST_TARGETS = 64
"""Targets that a public model may stand for, those of the models it names included."""

_TOO_DEEP = f"leads through more than {DEEPEST} models", "name the targets themselves"


def findings(
    models: Mapping[str, Sequence[str]], names: Collection[str], providers: Collection[str]
) -> Iterator[Finding]:
    """Say what is wrong with the models; `names` are all public models, `providers` all that may be meant."""
    done: set[str] = set()
    for name, chain in models.items():
        if "/" in name:
            hint = "such a name is always read as provider/model; choose one without `/`"
            yield ("models", name), "a public model's name holds a `/`", hint
        if not chain:
            yield ("models", name), "has no targets", "give at least one: [openai/gpt-4o-mini]"
        for index, target in enumerate(chain):
            if said := _fault_of_target(target, names, providers):
                yield ("models", name, index), *said
    loops = [loop for start in models for loop in _loops(start, models, [], done)]
    yield from loops
    if not loops:
        yield from _too_long(models)


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


def _loops(
    name: str, models: Mapping[str, Sequence[str]], way: list[str], done: set[str]
) -> Iterator[Finding]:
    """Find each cycle once, from its first member in the order of the models; and what is too deep to follow."""
    if name in way:
        cycle = (*way[way.index(name) :], name)
        hint = "let one of them name targets alone"
        yield ("models", cycle[0]), f"leads back to itself: {' → '.join(cycle)}", hint
        return
    if name in done:
        return
    done.add(name)
    if len(way) == DEEPEST:
        yield ("models", way[0]), *_TOO_DEEP
        return
    for target in dict.fromkeys(models.get(name, ())):
        yield from _loops(target, models, [*way, name], done)


def _too_long(models: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    reach: dict[str, tuple[int, int]] = {}

    def measure(name: str) -> tuple[int, int]:
        """Give how many models it leads through, itself included, and how many targets it stands for."""
        if name not in reach:
            chain = models.get(name, ())
            inner = [measure(target) for target in chain if "/" not in target]
            targets = len(chain) - len(inner) + sum(size for _depth, size in inner)
            reach[name] = 1 + max((depth for depth, _size in inner), default=0), targets
        return reach[name]

    for name in models:
        depth, size = measure(name)
        if depth > DEEPEST:
            yield ("models", name), *_TOO_DEEP
        if size > MOST_TARGETS:
            yield ("models", name), f"stands for {size} targets", f"at most {MOST_TARGETS} can be tried"
