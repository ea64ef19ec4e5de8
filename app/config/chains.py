"""Do the public models lead to targets? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from app.config.problems import Path, did_you_mean
from app.config.public_models import ModelSettings

Finding = tuple[Path, str, str]
"""The path, what is wrong there, and what would be right."""
Links = Mapping[str, Sequence[str]]
"""What each public model names."""

DEEPEST = 16
"""Models that a chain may lead through, itself included."""
MOST_TARGETS = 64
"""Targets that a public model may stand for, those of its fallbacks and of the models it names included."""

_TOO_DEEP = f"leads through more than {DEEPEST} models", "name the targets themselves"


def findings(
    models: Mapping[str, ModelSettings], names: Collection[str], providers: Collection[str]
) -> Iterator[Finding]:
    """Say what is wrong with the models; `names` are all public models, `providers` all that may be meant."""
    done: set[str] = set()
    for name, settings in models.items():
        if "/" in name:
            hint = "such a name is always read as provider/model; choose one without `/`"
            yield ("models", name), "a public model's name holds a `/`", hint
        if not settings.targets:
            yield ("models", name), "has no targets", "give at least one: [openai/gpt-4o-mini]"
        for path, target in _named(settings):
            if said := _fault_of_target(target, names, providers):
                yield ("models", name, *path), *said
        if settings.mirror and (said := _fault_of_mirror(settings.mirror.target, providers)):
            yield ("models", name, "mirror", "target"), *said
    links = {name: [target for _, target in _named(settings)] for name, settings in models.items()}
    loops = [loop for start in models for loop in _loops(start, links, [], done)]
    yield from loops
    if not loops:
        yield from _too_long({name: settings.names for name, settings in models.items()}, links)


def _named(settings: ModelSettings) -> Iterator[tuple[Path, str]]:
    """Give all that a model names, with the path below it."""
    for index, target in enumerate(settings.names):
        yield ("targets", index), target
    for cause, chain in settings.fallback.chains.items():
        for index, target in enumerate(chain):
            yield ("fallback", cause, index), target


def _fault_of_mirror(target: str, providers: Collection[str]) -> tuple[str, str] | None:
    if "/" not in target:
        return f"`{target}` is no single target", "write provider/model, such as `openai/gpt-4o-mini`"
    return _fault_of_target(target, (), providers)


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


def _loops(name: str, links: Links, way: list[str], done: set[str]) -> Iterator[Finding]:
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
    for target in dict.fromkeys(links.get(name, ())):
        yield from _loops(target, links, [*way, name], done)


def _too_long(chains: Links, links: Links) -> Iterator[Finding]:
    """Find models that name too much. A model that is named brings its targets, and not its fallbacks."""
    reach: dict[str, tuple[int, int]] = {}

    def measure(names: Sequence[str]) -> tuple[int, int]:
        """Give how many models they lead through, their own one included, and how many targets they stand for."""
        inner = [inside(name) for name in names if "/" not in name]
        targets = len(names) - len(inner) + sum(size for _depth, size in inner)
        return 1 + max((depth for depth, _size in inner), default=0), targets

    def inside(name: str) -> tuple[int, int]:
        if name not in reach:
            reach[name] = measure(chains.get(name, ()))
        return reach[name]

    for name in chains:
        depth, size = measure(links[name])
        if depth > DEEPEST:
            yield ("models", name), *_TOO_DEEP
        if size > MOST_TARGETS:
            yield ("models", name), f"stands for {size} targets", f"at most {MOST_TARGETS} can be tried"
