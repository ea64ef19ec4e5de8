"""Who may begin a call when there is more work than can be done. Pure: signals come as values.

Calls are refused before any work is done on them. Those under way are never ended for those that come.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.config.models import Config
from app.gateway.subjects import levels
from app.limits.places import Places, Reason, Sharing
from app.limits.throttle import Beat, Throttle

FULL_OF = {"low": 0.92, "normal": 0.95, "high": 0.95}
"""By priority: the share of the memory from which on it gets in no more."""
BEGINNING = {"low": 0.25, "normal": 0.8, "high": 1.0}
"""By priority: the share of the calls that may begin in one turn. It keeps `low` out where `normal` fills the turns,
and costs nobody anything where there is no other, for then more may begin."""
SCARCE = 0.92
"""The share of the memory from which on connections end with their answer."""
ASKED_LATELY = 10.0
"""Seconds. A key counts as one that wants places for this long after it asked, and up to twice as long."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to be shared out, and how."""

    places: int
    max_lag: float
    """Seconds."""
    sharing: Sharing
    present: frozenset[str]
    """The priorities that keys have: nothing is kept for others."""


def capacity_of(config: Config) -> Capacity:
    """Give what a configuration sets."""
    settings = config.server.overload
    bars = {"low": float(settings.low), "normal": float(settings.normal), "high": 1.0}
    # Stored keys and the master key are all `normal`.
    present = frozenset({"normal", *(level.priority for _, level in levels(config) if level.priority)})
    sharing = Sharing(bars, float(settings.largest_share))
    return Capacity(config.server.max_inflight, settings.max_lag, sharing, present)


class Place:
    """One call's, until it is given back."""

    __slots__ = ("_places", "_tenant")

    def __init__(self, places: Places, tenant: str) -> None:
        self._places: Places | None = places
        self._tenant = tenant

    def give_back(self) -> None:
        """Give it back. A second call does nothing."""
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._tenant)


class Entrance:
    """Lets calls in or says why not."""

    def __init__(self, capacity: Capacity) -> None:
        self._throttle = Throttle(capacity.max_lag)
        self._under_way = Places(capacity.places, capacity.sharing)
        self._beginning = Places(self._throttle.allowance, capacity.sharing)
        self._memory = 0.0
        self._asking: set[str] = set()
        self._asked: set[str] = set()
        self._asking_since = 0.0
        self.configure(capacity)

    def configure(self, capacity: Capacity) -> None:
        """Take other settings. Calls under way keep their places, even where there are fewer now."""
        self._throttle.configure(capacity.max_lag)
        self._under_way.configure(capacity.places, capacity.sharing.among(capacity.present))
        self._sharing_turns = Sharing(BEGINNING, capacity.sharing.largest).among(capacity.present)
        self._beginning.configure(self._throttle.allowance, self._sharing_turns)

    @property
    def under_way(self) -> int:
        """How many calls hold a place."""
        return self._under_way.taken

    @property
    def is_busy(self) -> bool:
        """Whether there is anything for which the loop's turns matter."""
        return self._under_way.taken > 0 or self._throttle.is_pressed

    @property
    def memory_is_scarce(self) -> bool:
        """Whether connections had better end with their answer."""
        return self._memory >= SCARCE

    def tick(self, beat: Beat) -> None:
        """Learn how well the event loop keeps up."""
        self._throttle.tick(beat)
        self._beginning.empty()
        self._beginning.configure(self._throttle.allowance, self._sharing_turns)
        if beat.now - self._asking_since >= ASKED_LATELY:
            self._asking, self._asked, self._asking_since = set(), self._asking, beat.now

    def note_memory(self, share: float) -> None:
        """Learn how much of the memory is in use, from 0 to 1."""
        self._memory = share

    def note_refusal(self) -> None:
        """Learn that a call was refused for a reason of its own: that is work too."""
        self._throttle.refused += 1

    def admit(self, tenant: str, priority: str) -> Place | Reason:
        """Give a place, or the reason why there is none."""
        self._asking.add(tenant)
        reason = self._objection(tenant, priority)
        if reason is not None:
            self._throttle.refused += 1
            return reason
        self._under_way.take(tenant)
        self._throttle.begun += 1
        self._beginning.take(tenant)
        return Place(self._under_way, tenant)

    def _objection(self, tenant: str, priority: str) -> Reason | None:
        if self._memory >= FULL_OF[priority]:
            return "memory"
        alone = len(self._asking) == 1 and self._asking >= self._asked
        if self._beginning.objection(tenant, priority, alone=alone):
            return "lag"
        return self._under_way.objection(tenant, priority, alone=alone)
