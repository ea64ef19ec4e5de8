"""When a second target is tried beside a slow one, and how often that may be. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from app.config.public_models import HedgeSettings
from app.limits.latest import Latest

WARM = 20
"""Times that must have been seen of a target before their percentile is believed."""
MOST_SAMPLED = 256
"""Targets of a model whose times are kept: four times what a public model may stand for."""
_PRICE = 10**9
"""What a hedge costs, in whole numbers: a sum of fractions is never quite the share that was promised."""
_MOST_SAVED = 3 * _PRICE
"""Three hedges: hours of calm must not pay for a burst."""


class Hedge:
    """The hedging of one public model: what its targets' times were lately, and how many hedges it may begin."""

    def __init__(self, settings: HedgeSettings, count: Callable[[str], None]) -> None:
        """`count` is told `started` and `won`."""
        self._times: OrderedDict[tuple[str, bool], Latest[float]] = OrderedDict()
        self._saved = 0
        self.count = count
        self.configure(settings)

    def configure(self, settings: HedgeSettings) -> None:
        """Take other settings. What was learnt and saved stays."""
        self._after = settings.after
        self._earned = int(settings.cap * _PRICE)

    def earn(self) -> None:
        """Note a call of the model, which pays for its share of a hedge."""
        self._saved = min(self._saved + self._earned, _MOST_SAVED)

    @property
    def allows(self) -> bool:
        """Whether a hedge is paid for."""
        return self._saved >= _PRICE

    def take(self) -> bool:
        """Pay for a hedge, if there is enough for one."""
        if not self.allows:
            return False
        self._saved -= _PRICE
        return True

    def give_back(self) -> None:
        """Take back what was paid for a hedge that did not begin."""
        self._saved += _PRICE

    def wait(self, target: str, *, stream: bool) -> float | None:
        """Give the seconds without content after which another target is tried. None: not at all."""
        if not self.allows:
            return None
        if self._after != "p95":
            return self._after
        times = self._times.get((target, stream))
        return None if times is None else times.p95(warm=WARM)

    def learn(self, target: str, seconds: float, *, stream: bool) -> None:
        """Note how long a target took to its first content, or to its whole answer: those are kept apart."""
        times = self._times.get((target, stream))
        if times is None:
            times = self._times[target, stream] = Latest()
            if len(self._times) > MOST_SAMPLED:
                self._times.popitem(last=False)
        times.add(seconds)


class Hedges:
    """The hedging of those models that have it."""

    def __init__(self, settings: Mapping[str, HedgeSettings], count: Callable[[str, str], None]) -> None:
        """Take the settings by public model. `count` is told the model, and `started` or `won`."""
        self._count = count
        self._models: dict[str, Hedge] = {}
        self.configure(settings)

    def configure(self, settings: Mapping[str, HedgeSettings]) -> None:
        """Take other settings. Models that are hedged still keep what they have learnt."""
        for model in self._models.keys() - settings.keys():
            del self._models[model]
        for model, each in settings.items():
            if known := self._models.get(model):
                known.configure(each)
            else:
                self._models[model] = Hedge(each, self._counting(model))

    def of(self, model: str) -> Hedge | None:
        """Give the hedging of a model; None where it has none."""
        return self._models.get(model)

    def _counting(self, model: str) -> Callable[[str], None]:
        return lambda event: self._count(model, event)
