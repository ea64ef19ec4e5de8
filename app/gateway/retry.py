"""What follows a failed attempt: the same target again, another credential, the next target, or the end. Pure.

Waits are random between nothing and a bound that doubles ("full jitter"), so that callers who
failed together do not come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.config.resilience import RetrySettings
from providers.errors import UpstreamError

FEWEST_ATTEMPTS = 3
"""Tries that a call may take where the configuration does not say."""
FLOOR = 3
"""Retries that a budget begins with."""
CAP = 10
"""Retries that a budget can save up."""
_PRICE = 10
"""First tries that pay for one retry: at most a tenth more calls reach a provider that only fails."""
_MOST_DOUBLINGS = 64


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Try the same target again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NextTarget:
    """Try the next target of the plan."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Tell the client of the failure."""


@dataclass(frozen=True, slots=True)
class OtherCredential:
    """Try the same target at once with another credential.

    It costs nothing of the retry budget: what was refused is out of use for a while, so that in an outage
    each credential is asked a few times and not once more for every call.
    """


Step = RetryAfter | OtherCredential | NextTarget | GiveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call has come when an attempt of it fails, before any of the answer has gone out."""

    tries_of_target: int
    """Including the one that failed."""
    tries_of_call: int
    max_attempts: int
    """Tries that the call may take in all."""
    time_left: float
    """Seconds until the call's deadline; infinite without one."""
    has_next: bool
    """Whether another target may be tried after this failure."""
    other_credential: bool = False
    """Whether the failure speaks of the credential alone, and another one can be used at once."""


class RetryBudget:
    """What bounds the retries at one provider: every ten first tries pay for one, and some are saved up."""

    __slots__ = ("_saved",)

    def __init__(self) -> None:
        self._saved = FLOOR * _PRICE

    def earn(self) -> None:
        """Note the first try of a target, by whichever way the call came to it."""
        self._saved = min(self._saved + 1, CAP * _PRICE)

    @property
    def allows(self) -> bool:
        """Whether there is a retry left."""
        return self._saved >= _PRICE

    def spend(self) -> None:
        """Note a retry."""
        assert self.allows, "who retries has asked"
        self._saved -= _PRICE


def attempts_of(configured: int | None, targets: int) -> int:
    """Give the tries that a call may take: what is configured, else three or one for each target."""
    return max(FEWEST_ATTEMPTS, targets) if configured is None else configured


def next_step(
    error: UpstreamError,
    progress: Progress,
    settings: RetrySettings,
    random: Callable[[], float],
    *,
    affordable: bool,
) -> Step:
    """Decide what follows a failure. `random` gives numbers from 0 up to 1; `affordable`: the budget allows a retry."""
    if progress.tries_of_call >= progress.max_attempts or progress.time_left <= 0:
        return GiveUp()
    move_on = progress.has_next
    if progress.other_credential:
        # The last try is for another target, if there is one: all that this one has may be refused.
        is_last = progress.tries_of_call + 1 >= progress.max_attempts
        return NextTarget() if move_on and is_last else OtherCredential()
    if error.retry_same and affordable and progress.tries_of_target < settings.attempts:
        asked = error.retry_after or 0.0
        wait = asked + random() * _bound(settings, progress.tries_of_target)
        # Another target is sooner than a long wait; without one, a provider gets what it asks for.
        if wait < progress.time_left and not (move_on and asked > settings.max_backoff):
            return RetryAfter(wait)
    return NextTarget() if move_on else GiveUp()


def _bound(settings: RetrySettings, tries: int) -> float:
    """Give the longest wait after so many tries, in seconds, but for what the provider asks."""
    return float(min(settings.max_backoff, settings.backoff * 2.0 ** min(tries - 1, _MOST_DOUBLINGS)))
