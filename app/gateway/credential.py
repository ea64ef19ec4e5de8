"""One credential of a provider: its secret as it is now, and all that is known of it. Pure but for its secret's file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from app.config.activation import ProviderCredential
from app.gateway.headroom import Headroom
from app.gateway.parking import FIRST_MARK, Parked, Parking, Reason, State
from providers.types import RateLimits, Secret, Target

MOST_MODELS = 200
"""Models of which something is kept, for each credential: clients may make names up. The oldest goes first."""
_WORST_LAST: tuple[State, ...] = ("ready", "parked", "quarantined")


@dataclass(frozen=True, slots=True)
class ModelStanding:
    """How a credential stands with one model."""

    model: str
    state: State
    reason: Reason | None
    usable_in: float
    remaining_requests: int | None
    """As the provider says, less what was sent since; None: not known."""
    remaining_tokens: int | None


@dataclass(frozen=True, slots=True)
class CredentialStanding:
    """A credential as people see it."""

    provider: str
    position: int
    state: State
    """Of the whole or of the model that is worst off."""
    reason: Reason | None
    usable_in: float
    """Seconds until it may be used for everything."""
    in_flight: int
    models: tuple[ModelStanding, ...]
    """Those of which something is known."""
    stored: int | None = None
    """Its id in the database; None: it is the configuration's."""


@dataclass(slots=True)
class _OfModel:
    parking: Parking
    headroom: Headroom = field(default_factory=Headroom)


class Marks(NamedTuple):
    """By what a call is known to its credential when it tells how it fared."""

    secret: Secret
    model: str
    whole: int
    of_model: int


class Refusal(NamedTuple):
    """What a provider's refusal says of a credential."""

    reason: Reason
    asked: float | None
    """Seconds that the provider asks to wait."""
    of_model: bool
    """Whether it speaks of the model that was asked for alone."""


class Credential:
    """A rate limit is one of a model, and so is a 403; any other refusal speaks of the credential as a whole."""

    def __init__(self, settings: ProviderCredential, random: Callable[[], float]) -> None:
        self.settings = settings
        self.in_flight = 0
        self.credit = 0.0
        """What the pool owes it of its share of the calls."""
        self._random = random
        self._text = settings.key.reveal()
        self._secret = Secret(self._text)
        self._whole = Parking(random)
        self._models: OrderedDict[str, _OfModel] = OrderedDict()
        self._used: dict[str, tuple[Target, ProviderCredential, Target]] = {}
        """By model: a target, the settings then, and the same with this credential."""

    def follow(self) -> None:
        """Look at the secret: one that has changed is another credential, of which nothing bad is known."""
        text = self.settings.key.reveal()
        if text is not self._text and text != self._text:
            self._text, self._secret = text, Secret(text)
            self._whole.reset()
            self._models.clear()
            self._used.clear()

    @property
    def secret(self) -> Secret:
        """What it was when it was last looked at."""
        return self._secret

    def holds(self, key: Secret) -> bool:
        """Whether this is the secret that it has."""
        return self._text == key.reveal()

    def used_for(self, target: Target) -> Target:
        """Give the target with this credential. What its file says later does not change it."""
        known = self._used.get(target.model)
        # Another configuration has other targets and settings.
        if known is not None and known[0] is target and known[1] is self.settings:
            return known[2]
        # An empty one stands for what is made where requests leave.
        used = target.using(self._secret or None, self.settings.position)
        if len(self._used) >= MOST_MODELS:
            self._used.clear()
        self._used[target.model] = target, self.settings, used
        return used

    def weight(self, model: str, now: float) -> float:
        """Give its weight: less just after its return."""
        return self.settings.weight * min(parking.share(now) for parking in self._parkings(model))

    def wait(self, model: str, now: float) -> float:
        """Give the seconds until it may be used for a model; 0: now."""
        known = self._models.get(model)
        whole = self._whole.wait(now)
        return whole if known is None else max(whole, known.parking.wait(now))

    def is_barred(self, model: str) -> bool:
        """Whether it is out of use, or due to be tried."""
        return any(parking.barred for parking in self._parkings(model))

    def is_quarantined(self, model: str) -> bool:
        """Whether the provider refuses it."""
        return any(parking.state == "quarantined" for parking in self._parkings(model))

    def short_for(self, model: str, tokens: int, now: float) -> float:
        """Give the seconds for which the provider's limits have no room for a call; 0: they have, as far as is known."""
        known = self._models.get(model)
        return known.headroom.short_for(tokens, now) if known else 0.0

    def take(self, model: str, tokens: int, now: float) -> Marks:
        """Let a call use it; `wait` has said that it may."""
        self.in_flight += 1
        known = self._models.get(model)
        if known is None:
            return Marks(self._secret, model, self._whole.take(now), FIRST_MARK)
        known.headroom.spend(tokens)
        return Marks(self._secret, model, self._whole.take(now), known.parking.take(now))

    def learn(self, model: str, limits: RateLimits, now: float) -> None:
        """Take what the provider says is left."""
        self._of(model).headroom.learn(limits, now)

    def accept(self, marks: Marks, now: float) -> bool:
        """Note that the provider takes it. Gives whether that brings it back into use."""
        if marks.secret is not self._secret:
            return False
        freed = self._whole.accept(marks.whole, now)
        if known := self._models.get(marks.model):
            freed |= known.parking.accept(marks.of_model, now)
        return freed

    def refuse(self, marks: Marks, refusal: Refusal, now: float) -> Parked | None:
        """Note that the provider does not take it. Gives nothing where that is old news."""
        if marks.secret is not self._secret:
            return None
        if refusal.of_model:
            parking = self._of(marks.model).parking
            return parking.refuse(marks.of_model, refusal.reason, refusal.asked, now)
        return self._whole.refuse(marks.whole, refusal.reason, refusal.asked, now)

    def release(self, marks: Marks) -> None:
        """Note that a call has ended."""
        self.in_flight -= 1
        self._whole.release(marks.whole)
        if known := self._models.get(marks.model):
            known.parking.release(marks.of_model)

    def reset(self) -> None:
        """Bring it back into use."""
        self._whole.reset()
        for known in self._models.values():
            known.parking.reset()

    def standing(self, provider: str, now: float) -> CredentialStanding:
        """Say how it stands."""
        models = tuple(_standing(model, known, now) for model, known in self._models.items())
        all_of_it = [self._whole, *(known.parking for known in self._models.values())]
        worst = max(all_of_it, key=lambda parking: _WORST_LAST.index(parking.state))
        return CredentialStanding(
            provider,
            self.settings.position,
            worst.state,
            worst.reason,
            max(parking.wait(now) for parking in all_of_it),
            self.in_flight,
            models,
            self.settings.stored,
        )

    def _parkings(self, model: str) -> Iterator[Parking]:
        yield self._whole
        if known := self._models.get(model):
            yield known.parking

    def _of(self, model: str) -> _OfModel:
        known = self._models.get(model)
        if known is None:
            known = self._models[model] = _OfModel(Parking(self._random))
            if len(self._models) > MOST_MODELS:
                self._models.popitem(last=False)
        return known


def _standing(model: str, known: _OfModel, now: float) -> ModelStanding:
    return ModelStanding(
        model,
        known.parking.state,
        known.parking.reason,
        known.parking.wait(now),
        known.headroom.requests.known(now),
        known.headroom.tokens.known(now),
    )
