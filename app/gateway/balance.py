"""In which order the targets of a model are tried: one object per model. Pure, but for the chance it is given.

A model that stands among another's targets is one option: its targets keep their own order in its
place, and the first of them speaks for it. Targets that are left alone are passed over later, by
the gates, so that those which follow are the spare ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.gateway.forecast import Forecast
from app.gateway.loads import Loads
from app.store.money import dollars
from providers.types import Call, Target

TYPICAL = Forecast(1_000, 500, None)
"""Tokens of a call that nobody has made, for explaining."""


class Option(NamedTuple):
    """One of a model's targets, as the configuration lists it."""

    name: str
    weight: int
    targets: tuple[Target, ...]
    """Never empty; several where it is a model itself."""


@dataclass(slots=True)
class Ask:
    """What an order may depend on, besides what is known of the targets."""

    call: Call
    key: str
    """Our key's name."""
    forecast: Forecast = TYPICAL
    reasons: dict[str, str] | None = None
    """Filled with why each target stands where it does. None: nobody asks."""


class Balancer(Protocol):
    """Orders the options of one model."""

    def order(self, options: Sequence[Option], ask: Ask) -> Sequence[Option]:
        """Give two options or more in the order in which to try them."""
        ...

    def why(self, option: Option, ask: Ask) -> str:
        """Say what decides about an option's place."""
        ...


class InOrder:
    """As the configuration lists them."""

    def order(self, options: Sequence[Option], _ask: Ask) -> Sequence[Option]:
        """Give them as they come."""
        return options

    def why(self, _option: Option, _ask: Ask) -> str:
        """Say that they come as listed."""
        return "as listed"


IN_ORDER = InOrder()


@dataclass(frozen=True, slots=True)
class Weighted:
    """Drawn by weight, one after the other."""

    random: Callable[[], float]

    def order(self, options: Sequence[Option], _ask: Ask) -> Sequence[Option]:
        """Draw each by its weight among those that are left."""
        return sorted(options, key=lambda option: wait(option.weight, self.random()))

    def why(self, option: Option, _ask: Ask) -> str:
        """Say its weight."""
        return f"drawn by weight {option.weight}"


@dataclass(frozen=True, slots=True)
class LeastBusy:
    """The one with the fewest attempts under way for its weight; among equals by weight."""

    loads: Loads
    random: Callable[[], float]

    def order(self, options: Sequence[Option], _ask: Ask) -> Sequence[Option]:
        """Sort by what is under way."""
        return sorted(options, key=lambda each: (self._share(each), wait(each.weight, self.random())))

    def why(self, option: Option, _ask: Ask) -> str:
        """Say how busy it is."""
        return f"{self.loads.of(option.targets[0]).running} under way, weight {option.weight}"

    def _share(self, option: Option) -> float:
        return self.loads.of(option.targets[0]).running / option.weight


@dataclass(frozen=True, slots=True)
class Quickest:
    """The one that will probably begin its answer first, from what it did lately and has to do now.

    All are compared. Drawing two and taking the better one is for those who know little of the others;
    here it made calls wait up to a sixth longer, in simulations of 2 and 3 targets.
    """

    loads: Loads
    now: Callable[[], float]
    """Monotonic seconds."""
    random: Callable[[], float]

    def order(self, options: Sequence[Option], ask: Ask) -> Sequence[Option]:
        """Sort by the wait that is expected."""
        now, stream = self.now(), ask.call.stream
        return sorted(
            options,
            key=lambda each: (
                *self.loads.of(each.targets[0]).expect(now, stream=stream),
                wait(each.weight, self.random()),
            ),
        )

    def why(self, option: Option, ask: Ask) -> str:
        """Say what is known of it."""
        load, stream = self.loads.of(option.targets[0]), ask.call.stream
        seconds = load.latency(stream=stream).seconds
        known = (
            "not tried yet" if seconds is None else f"{seconds:.3f} s to {'begin' if stream else 'answer'}"
        )
        return f"{known}, {load.running} under way"


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The one whose price for such a call is lowest; those without a known price last."""

    price: Callable[[Target, Ask], int | None]
    """Nano-dollars."""

    def order(self, options: Sequence[Option], ask: Ask) -> Sequence[Option]:
        """Sort by price; equal ones stay as listed."""
        return sorted(options, key=lambda each: self._price(each, ask))

    def why(self, option: Option, ask: Ask) -> str:
        """Say the price."""
        nano = self.price(option.targets[0], ask)
        return "no known price" if nano is None else f"${dollars(nano)} for such a call"

    def _price(self, option: Option, ask: Ask) -> float:
        nano = self.price(option.targets[0], ask)
        return math.inf if nano is None else nano


def wait(weight: int, luck: float) -> float:
    """Give a waiting time at a rate of `weight`: who comes first is drawn by weight, and so is who comes next.

    `luck` is from 0 up to 1. This is sampling without replacement after Efraimidis and Spirakis (2006).
    """
    return -math.log(1.0 - luck) / weight
