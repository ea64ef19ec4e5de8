"""What providers say of their models: the last good list of each, when to ask anew, and what has changed. Pure.

A provider that is down keeps its list, however old. What it no longer names is told of once, and
stays in `gone` until it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from app.config.activation import ActiveProvider
from providers.listing import Listing, Models
from providers.registry import DIALECTS

FIRST_WITHIN = 5.0
"""Seconds after the start within which each provider is first asked."""
SOONEST_AGAIN = 30.0
"""Seconds after a failure; twice as long after each further one, up to the usual time."""
JITTER = 0.2
"""The share of a time by which it may be longer, so that gateways do not all ask at once."""
TOLD = 20
"""Names in one log line, and kept of those that are gone."""

NO_MODELS: Models = {}


class Counts(Protocol):
    """Counts what was noticed. The labels are the provider and one of a few words."""

    def count_model_change(self, provider: str, change: str, number: int) -> None:
        """Count models that have `appeared`, `gone` or `changed`."""
        ...

    def count_list_refresh(self, provider: str, result: str) -> None:
        """Count an asking that was `good` or `failed`."""
        ...


@dataclass(frozen=True, slots=True)
class ListStanding:
    """How the list of one provider stands."""

    provider: str
    models: int
    fetched: float | None
    """Unix seconds of the last good one; None: there was none."""
    failure: str | None
    """The class of what went wrong last, while that was the last asking."""
    gone: Sequence[str]
    """Models that it named once and no longer, the latest last."""


@dataclass(slots=True)
class _Kept:
    way: tuple[str, str]
    """Dialect and address: another one's list is none of its own."""
    due: float
    """Monotonic seconds."""
    models: Models = field(default_factory=dict)
    fetched: float | None = None
    failures: int = 0
    failure: str | None = None
    gone: list[str] = field(default_factory=list)


class ModelLists:
    """Of all providers that list models."""

    def __init__(self, log: FilteringBoundLogger, counts: Counts, random: Callable[[], float]) -> None:
        """`random` gives from 0 up to 1."""
        self._log = log
        self._counts = counts
        self._random = random
        self._providers: dict[str, ActiveProvider] = {}
        self._kept: dict[str, _Kept] = {}
        self._every = 0.0
        self.version = 0
        """Grows with each list that has changed."""

    def configure(self, providers: Sequence[ActiveProvider], every: float, now: float) -> None:
        """Take the providers that are on, and how many seconds a list is fresh; 0: none is asked for."""
        self._every = every
        self._providers = {each.name: each for each in providers if every and lists_models(each)}
        before, self._kept = self._kept, {}
        for name, each in self._providers.items():
            way = (each.dialect, each.base_url)
            kept = before.get(name)
            first = now + self._random() * min(FIRST_WITHIN, every)
            self._kept[name] = kept if kept and kept.way == way else _Kept(way, first)
        self.version += 1

    def due(self, now: float) -> list[tuple[ActiveProvider, int]]:
        """Give the providers to ask now, and how often each has failed since its last answer."""
        return [
            (self._providers[name], kept.failures) for name, kept in self._kept.items() if kept.due <= now
        ]

    def wait(self, now: float) -> float | None:
        """Give the seconds until the next one is due; None: there is none to ask."""
        return min((max(0.0, kept.due - now) for kept in self._kept.values()), default=None)

    def take(self, provider: str, models: Models, now: float, wall: float) -> None:
        """Take a list, and tell how it differs from the last one."""
        kept = self._kept.get(provider)
        if kept is None:
            return
        if kept.models and not models:
            # No vendor drops all its models at once: this is a fault of the list.
            self.fail(provider, "empty", now)
            return
        self._counts.count_list_refresh(provider, "good")
        if kept.fetched is not None:
            self._tell(provider, kept, models)
        if kept.models != models:
            self.version += 1
        kept.models, kept.fetched, kept.failures, kept.failure = models, wall, 0, None
        kept.due = now + self._every * (1 + JITTER * self._random())

    def fail(self, provider: str, why: str, now: float) -> None:
        """Note that a provider gave no list. `why` is a class, never its words."""
        kept = self._kept.get(provider)
        if kept is None:
            return
        self._counts.count_list_refresh(provider, "failed")
        if kept.failure != why:
            self._log.warning("model_list_unavailable", provider=provider, reason=why, kept=len(kept.models))
        wait = min(self._every, SOONEST_AGAIN * 2 ** min(kept.failures, 20))
        kept.failures += 1
        kept.failure = why
        kept.due = now + wait * (1 + JITTER * self._random())

    def of(self, provider: str) -> Models:
        """Give what a provider lists; nothing where that is not known."""
        kept = self._kept.get(provider)
        return kept.models if kept else NO_MODELS

    def names(self, provider: str, model: str) -> bool | None:
        """Say whether a provider names a model now; None where that is not known."""
        models, asked = self.of(provider), self._providers.get(provider)
        if model in models:
            return True
        listing = listing_of(asked) if models and asked else None
        return False if listing is not None and listing.complete else None

    def standings(self) -> Iterator[ListStanding]:
        """Tell how each list stands."""
        for name, kept in self._kept.items():
            yield ListStanding(name, len(kept.models), kept.fetched, kept.failure, tuple(kept.gone))

    def _tell(self, provider: str, kept: _Kept, models: Models) -> None:
        before = kept.models
        found = {
            "appeared": sorted(models.keys() - before.keys()),
            "gone": sorted(before.keys() - models.keys()),
            "changed": sorted(name for name in models.keys() & before.keys() if models[name] != before[name]),
        }
        kept.gone = [name for name in kept.gone if name not in models]
        kept.gone = [*kept.gone, *found["gone"]][-TOLD:]
        for change, names in found.items():
            if names:
                self._counts.count_model_change(provider, change, len(names))
                tell = self._log.info if change == "appeared" else self._log.warning
                tell(f"models_{change}", provider=provider, count=len(names), models=names[:TOLD])


def lists_models(provider: ActiveProvider) -> bool:
    """Whether a provider can be asked for its models, by the names that calls give them."""
    listing = listing_of(provider)
    return listing is not None and listing.names


def listing_of(provider: ActiveProvider) -> Listing | None:
    """Give how a provider lists models, or None where it does not."""
    known = DIALECTS.get(provider.dialect)
    return known.listing if known is not None and provider.transport == "http" else None
