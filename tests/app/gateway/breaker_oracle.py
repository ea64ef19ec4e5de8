"""What a breaker should do, said once more: every call is remembered, nothing is summed up ahead."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.config.resilience import BreakerSettings


class Chance:
    """Chance that tests own: gives what `next` says."""

    def __init__(self, following: float = 0.0) -> None:
        self.next = following

    def __call__(self) -> float:
        return self.next


@dataclass
class Asked:
    """A call that passed."""

    opened_before: int
    closed_before: int
    probe: bool


@dataclass
class Oracle:
    """Keeps the whole story: when it opened and closed, and each result since the last closing."""

    settings: BreakerSettings
    opened: list[tuple[float, float]] = field(default_factory=list)
    """When, and until when."""
    closed: list[float] = field(default_factory=list)
    results: list[tuple[float, bool]] = field(default_factory=list)
    """When, and whether it failed; since it closed."""
    in_a_row: int = 0
    """Openings since it was last wholly well."""
    probe: Asked | None = None
    leased: float = 0.0
    good_probes: int = 0

    def state(self, now: float) -> str:
        if len(self.opened) == len(self.closed):
            return "closed"
        return "open" if now < self.opened[-1][1] else "half_open"

    def share(self, now: float) -> float:
        since = now - self.closed[-1] if self.closed else 1e9
        return min(1.0, 0.1 + 0.09 * since)

    def passes(self, now: float, luck: float) -> bool:
        state = self.state(now)
        if state == "half_open":
            return self.probe is None or now >= self.leased
        return state == "closed" and luck < self.share(now)

    def asked(self, now: float) -> Asked:
        call = Asked(len(self.opened), len(self.closed), self.state(now) == "half_open")
        if call.probe:
            self.probe, self.leased = call, now + 120.0
        return call

    def ended(self, call: Asked, mark: str, now: float, luck: float) -> None:
        if (call.opened_before, call.closed_before) != (len(self.opened), len(self.closed)):
            return
        if call.probe:
            self._probed(call, mark, now, luck)
        elif mark != "nothing":
            self.results.append((now, mark == "failure"))
            if self._trips(now):
                well = not self.closed or now - self.closed[-1] >= 10.0
                self.in_a_row = 0 if well else self.in_a_row
                self._open(now, luck)

    def _probed(self, call: Asked, mark: str, now: float, luck: float) -> None:
        if self.probe is not call:
            return
        self.probe = None
        self.good_probes += mark == "success"
        if mark == "failure":
            self.opened.pop()
            self._open(now, luck)
        elif self.good_probes == 2:
            self.closed.append(now)
            self.results = []

    def _open(self, now: float, luck: float) -> None:
        self.in_a_row += 1
        self.good_probes, self.probe = 0, None
        full = min(self.settings.open_for * 2 ** (self.in_a_row - 1), self.settings.max_open)
        self.opened.append((now, now + full * (1 - 0.2 * luck)))

    def _trips(self, now: float) -> bool:
        last = [failed for _, failed in self.results][-self.settings.consecutive :]
        if not last[-1]:
            return False
        if len(last) == self.settings.consecutive and all(last):
            return True
        tenth = self.settings.window / 10
        recent = [failed for at, failed in self.results if at // tenth > now // tenth - 10]
        ratio = float(self.settings.failure_ratio)
        return len(recent) >= self.settings.min_calls and sum(recent) >= ratio * len(recent)
